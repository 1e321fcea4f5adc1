"""Engines and sessions, with the time-outs of a system that never waits for ever."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from worker.moderation.errors import BusyError, MisconfiguredError, OutageError
from worker.moderation.settings import Settings
from worker.store import audit, outbox

STATEMENT_TIMEOUT_MS = 15_000  # longer means a lost index or a lock, not work
LOCK_TIMEOUT_MS = 3_000  # a held lock is somebody's bug; fail and retry instead of queueing behind it
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000  # no transaction stays open while a model works
CONNECT_TIMEOUT_SECONDS = 5
# Connection lost; server going down; deadlock or serialisation; out of disk, memory or connections; a lock or a statement that took too
# long. None of them is an image's fault.
BUSY_SQLSTATES = ("40", "55P03", "57014")
RETRYABLE_SQLSTATES = ("08", "57P", "53", *BUSY_SQLSTATES)


def connect(settings: Settings, *, application: str) -> Engine:
    """An engine on the queue of record. `application` shows in pg_stat_activity. Raises MisconfiguredError."""
    url = settings.require("database_url").database_url
    if url is None:
        raise MisconfiguredError("setting_missing", "Set ZOOMIN_DATABASE_URL.")
    options = (
        f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} "
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}"
    )
    return create_engine(
        url.get_secret_value(),
        pool_pre_ping=True,
        hide_parameters=True,  # errors are logged, and values may be secret or somebody's
        pool_size=8,
        max_overflow=8,
        connect_args={"application_name": application, "options": options, "connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )


def is_retryable(error: DBAPIError) -> bool:
    """True for what passes by itself or by an operator's hand, whatever was being written."""
    state = getattr(error.orig, "sqlstate", None)
    return (
        error.connection_invalidated
        or (isinstance(error, OperationalError) and state is None)
        or str(state).startswith(RETRYABLE_SQLSTATES)
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction: commits at the end, with its audit events and its events; rolls back on any exception.

    Raises TransientError for what a retry may mend.
    """
    with _outages_named(), Session(engine, expire_on_commit=False) as session, session.begin():
        audit.open_trail(session)
        outbox.open_outbox(session)
        yield session
        audit.write_pending(session)
        outbox.write_pending(session)


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One instant of the database, to read from for as long as it takes. Raises TransientError for what a retry may mend."""
    with _outages_named(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def _outages_named() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if is_retryable(error):
            busy = str(getattr(error.orig, "sqlstate", None)).startswith(BUSY_SQLSTATES)
            raise (BusyError if busy else OutageError)(
                "database_unavailable", f"Postgres: {str(error.orig).splitlines()[0] if error.orig else 'connection lost'}"
            ) from error
        raise
