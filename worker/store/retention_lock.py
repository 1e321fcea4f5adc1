"""One lock over all that deletes: purges and erasures share it, placing a legal hold takes it alone; until the transaction ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

RETENTION_LOCK = 0x5A524554  # "ZRET", as in the database's own functions
LEADER_LOCK = 0x5A524C44  # "ZRLD"
EXCLUDE = text("SELECT pg_advisory_xact_lock(:key)")
JOIN = text("SELECT pg_advisory_xact_lock_shared(:key)")


def exclude_purges(session: Session) -> None:
    """Waits until nothing is being deleted, and keeps it so."""
    session.execute(EXCLUDE, {"key": RETENTION_LOCK})


def join_purges(session: Session) -> None:
    """Keeps legal holds waiting while something is deleted."""
    session.execute(JOIN, {"key": RETENTION_LOCK})


@contextmanager
def leading_retention(engine: Engine) -> Iterator[bool]:
    """Whether this process alone runs retention for the length of the block. The lock ends with its connection, whatever happens."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # never back into the pool: closing must end the lock
        yield bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LEADER_LOCK}).scalar_one())
