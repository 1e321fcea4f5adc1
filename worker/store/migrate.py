"""Runs the migrations from the installed package, without a shell or an ini file."""

import re
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

import migrations
from worker.moderation.errors import MisconfiguredError, TransientError
from worker.store.models import Base
from worker.store.models.base import PARTITIONED_TABLES

COPIED_KEY = re.compile(r"fk_\w+_\d+")  # Postgres copies a foreign key to a partitioned table for each partition, and numbers the copies


def configuration(url: str) -> Config:
    """Alembic's configuration for the database at `url`, which must be its owner's."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Brings the schema to `revision`. Raises TransientError when Postgres cannot be reached, MisconfiguredError when it refuses."""
    try:
        command.upgrade(configuration(url), revision)
    except DBAPIError as error:
        line = str(error.orig).splitlines()[0]
        if "permission denied" in line or "must be owner" in line:
            raise MisconfiguredError("migration_refused", f"{line}. Migrate as the database's owner: set ZOOMIN_OWNER_URL.") from error
        raise TransientError("database_unavailable", f"Postgres could not be migrated: {line}") from error


def downgrade(url: str, revision: str = "base") -> None:
    """Takes the schema back to `revision`."""
    command.downgrade(configuration(url), revision)


def head() -> str | None:
    """The newest revision this code knows."""
    return ScriptDirectory.from_config(configuration("")).get_current_head()


def current(engine: Engine) -> str | None:
    """The revision the database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def differences(url: str) -> list[str]:
    """What autogeneration would still change; empty when models and migrations agree."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        options = {"include_name": include_name, "compare_type": True, "compare_server_default": True}
        return [str(change) for change in compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)]


def include_name(name: str | None, kind: str, parents: object) -> bool:  # noqa: ARG001  Alembic's signature
    """Partitions are data, made and dropped by operators: autogeneration leaves them alone, and what foreign keys to them they bring."""
    if name is None:
        return True
    if kind == "foreign_key_constraint":
        return not COPIED_KEY.fullmatch(name)
    return not (kind == "table" and any(name.startswith(f"{table}_p_") for table in PARTITIONED_TABLES))
