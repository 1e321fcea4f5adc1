"""Migrations against a real Postgres, as the database's owner."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from worker.local import postgres
from worker.local.services import Services
from worker.moderation.explanation_jobs import JobKind
from worker.store import migrate
from worker.store.models import Base

TENANT = "INSERT INTO tenants (id) VALUES ('t')"
BATCH = (
    "INSERT INTO batches (id, tenant_id, idempotency_key, request_digest, source, state, priority, items_accepted)"
    " VALUES (gen_random_uuid(), 't', 'k', '', 's3://b/', 'finished', 0, 1)"
)
JOB = (
    "INSERT INTO explanation_jobs (id, tenant_id, kind, batch_id, ordinal, revision, key, detail, asked_by, state, finished_at)"
    " SELECT gen_random_uuid(), 't', '{kind}', id, 0, 1, 'k', '{{}}', 'ann', 'done', now() FROM batches"
)


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    database = f"migrations_{uuid4().hex[:8]}"
    postgres.copy_database(services.layout, "template1", database)
    yield postgres.url(services.layout, postgres.OWNER, database)
    postgres.drop_database(services.layout, database)


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_upgrade_makes_every_table_and_downgrade_takes_all_back(url: str) -> None:
    migrate.upgrade(url)
    assert set(Base.metadata.tables) <= tables(url)
    assert migrate.differences(url) == []
    migrate.downgrade(url)
    assert tables(url) == {"alembic_version"}
    migrate.upgrade(url)  # roles outlive a database: going forward again meets them
    assert set(Base.metadata.tables) <= tables(url)


def test_jobs_go_with_what_they_made(url: str) -> None:
    migrate.upgrade(url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in (TENANT, BATCH, *(JOB.format(kind=kind.value) for kind in JobKind)):
            connection.execute(text(statement))
    migrate.downgrade(url, "faithfulness")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM explanation_jobs")) == 0
    migrate.upgrade(url)


def test_every_table_and_column_says_what_it_is(url: str) -> None:
    migrate.upgrade(url)
    engine = create_engine(url)
    query = text(
        "SELECT table_name || coalesce('.' || column_name, '') FROM ("
        " SELECT c.relname AS table_name, a.attname AS column_name, col_description(c.oid, a.attnum) AS said"
        "   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        "  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " UNION ALL SELECT relname, NULL, obj_description(oid) FROM pg_class"
        "  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition) AS all_of_them"
        " WHERE said IS NULL AND table_name <> 'alembic_version'"
    )
    with engine.connect() as connection:
        silent = list(connection.scalars(query))
    engine.dispose()
    assert silent == []
