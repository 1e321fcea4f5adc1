"""Who dispatches: the holder of one advisory lock, on a connection that also hears of changes. The lock ends with the connection."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from worker.moderation.errors import OutageError

DISPATCHER_LOCK = 0x5A444953  # "ZDIS"


class Listener:
    """A connection outside any transaction. Raises TransientError when it breaks; then the lock is gone too."""

    def __init__(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise TypeError("LISTEN needs psycopg")
        self._connection = connection
        self._driver = driver
        connection.detach()  # never back into the pool: closing must end lock and LISTEN

    def try_lead(self) -> bool:
        """True when this connection holds the dispatcher's lock from here on."""
        return bool(self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": DISPATCHER_LOCK}).scalar_one())

    def listen(self) -> None:
        """Begins to hear of changed chunks and batches."""
        self._connection.execute(text("LISTEN zoomin_chunks"))
        self._connection.execute(text("LISTEN zoomin_batches"))

    def wait(self, seconds: float) -> bool:
        """Waits for the next change, at most `seconds`: whether one was heard."""
        return any(True for _ in self._driver.notifies(timeout=seconds, stop_after=1))


@contextmanager
def open_listener(engine: Engine) -> Iterator[Listener]:
    """A listener for the length of the block. Raises TransientError when Postgres cannot be reached or the connection breaks."""
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield Listener(connection)
    except (DBAPIError, psycopg.OperationalError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise OutageError("database_unavailable", f"Postgres: {str(cause).splitlines()[0]}") from error
