"""`zoomin db …`: the schema."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import typer

from worker.cli.endings import Commands
from worker.cli.services import located
from worker.cli.terminal import report
from worker.moderation.settings import load_settings

db = typer.Typer(cls=Commands, no_args_is_help=True, help="The database's schema: bring it up to date, or see where it stands.")


@db.command()
def upgrade() -> None:
    """Bring the schema to the newest revision. Connects with ZOOMIN_OWNER_URL if it is set, else with ZOOMIN_DATABASE_URL."""
    from worker.store.migrate import head
    from worker.store.migrate import upgrade as migrate

    settings = located(load_settings())
    url = settings.owner_url or settings.require("database_url").database_url
    if url is not None:
        migrate(url.get_secret_value())
    report(f"The schema is at revision {head()}, the newest.")


@db.command()
def current() -> None:
    """Show the schema's revision and the newest one that this zoomin knows."""
    from worker.cli.services import locate_services
    from worker.store.migrate import current as revision_of
    from worker.store.migrate import head

    revision, newest = revision_of(locate_services().engine), head()
    report(f"The schema is at revision {revision or 'none'}; the newest is {newest}.")
    if revision != newest:
        report("Run `zoomin db upgrade`.")
