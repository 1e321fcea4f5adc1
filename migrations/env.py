"""Alembic's entry: one connection, under an advisory lock, with time-outs, so that two deploys never migrate at once."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from worker.moderation.settings import load_settings
from worker.store.migrate import include_name
from worker.store.models import Base

MIGRATION_LOCK = 0x5A4D4947  # "ZMIG"
LOCK_TIMEOUT_MS = 5_000  # a migration queued behind a long query would block every query behind itself
STATEMENT_TIMEOUT_MS = 600_000


def database_url() -> str:
    """From `worker.store.migrate`, or, under the plain alembic command, from the environment."""
    if url := context.config.attributes.get("url"):
        return str(url)
    settings = load_settings()
    url = settings.owner_url or settings.require("database_url").database_url
    return url.get_secret_value() if url else ""


def migrate() -> None:
    """Runs the revisions in one transaction each."""
    engine = create_engine(database_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
        connection.execute(text(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()  # the lock is the session's, not the transaction's
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_name=include_name,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


migrate()
