"""Databases to measure in: migrated, seen by no dispatcher, and dropped at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings
from worker.store import migrate


@contextmanager
def scratch_server(settings: Settings) -> Iterator[str]:
    """URL of the Postgres of the settings, as its owner, or of one for the length of the block when none is named."""
    if settings.database_url is None:
        from worker.local.postgres import Postgres  # noqa: PLC0415  only where there is no server

        with TemporaryDirectory(prefix="zoomin-bench-") as home, Postgres(Path(home)) as server:
            yield server.owner_url
        return
    yield (settings.owner_url or settings.database_url).get_secret_value()


@contextmanager
def scratch_database(server: str) -> Iterator[str]:
    """URL of a migrated database, as its owner. Raises MisconfiguredError."""
    name = f"zoomin_bench_{uuid4().hex[:8]}"
    try:
        with psycopg.connect(plain_url(server), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise MisconfiguredError(
            "bench_refused",
            f"Postgres let no scratch database be made: {str(error).splitlines()[0]}. Set ZOOMIN_OWNER_URL to a role with CREATEDB.",
        ) from error
    try:
        url = make_url(server).set(database=name).render_as_string(hide_password=False)
        migrate.upgrade(url)
        yield url
    finally:
        _drop(server, name)


def _drop(server: str, name: str) -> None:
    with psycopg.connect(plain_url(server), autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE {}").format(sql.Identifier(name))
        try:
            connection.execute(drop)  # ends an autovacuum of it by itself; FORCE would need a superuser for that
        except psycopg.errors.ObjectInUse:
            connection.execute(sql.SQL("{} WITH (FORCE)").format(drop))


def plain_url(url: str) -> str:
    """The URL as libpq reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
