"""Following events live, with a real listener: notified on commit, once per type, and nothing is ever missed."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine, make_url, text

from worker.local import postgres
from worker.local.services import Services
from worker.moderation.events import EventType
from worker.moderation.identifiers import event_id
from worker.moderation.settings import Settings
from worker.store import audit, outbox
from worker.store.session import transaction

WAIT_SECONDS = 5.0
THREADS, COMMITS = 6, 40


@pytest.fixture
def listener(services: Services, settings: Settings) -> Iterator[psycopg.Connection]:
    """An analyst's connection that listens as the cookbook says."""
    assert settings.database_url is not None
    database = str(make_url(settings.database_url.get_secret_value()).database)
    address = make_url(postgres.url(services.layout, postgres.SUPERUSER, database)).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("SET ROLE zoomin_analyst")
        connection.execute("LISTEN zoomin_events")
        yield connection


def heard(listener: psycopg.Connection, number: int) -> list[dict[str, str]]:
    found = [json.loads(notify.payload) for notify in listener.notifies(timeout=WAIT_SECONDS, stop_after=number)]
    return found + [json.loads(notify.payload) for notify in listener.notifies(timeout=0.2)]


def test_a_commit_is_announced_once_per_type_with_the_newest_id_and_no_tenant(listener: psycopg.Connection, engine: Engine) -> None:
    many = [outbox.Event(tenant_id="acme", type=EventType.ITEM_FAILED, data={"n": n}) for n in range(300)]
    with transaction(engine) as session:
        ids = outbox.publish_all(session, many)
        completed = outbox.publish(session, "acme", EventType.BATCH_COMPLETED, {})
    assert heard(listener, 2) == [
        {"type": "item.failed", "id": event_id(ids[-1])},
        {"type": "batch.completed", "id": event_id(completed)},
    ]
    query = "SELECT count(*) FROM moderation_v1.events WHERE tenant_id = 'acme' AND type = 'item.failed'"
    assert listener.execute(query).fetchone() == (300,)


def test_what_is_rolled_back_is_not_announced(listener: psycopg.Connection, engine: Engine) -> None:
    def fail() -> None:
        with transaction(engine) as session:
            outbox.publish(session, "acme", EventType.BATCH_COMPLETED, {})
            outbox.write_pending(session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(listener.notifies(timeout=0.3)) == []


def test_whoever_reads_on_behind_the_last_position_misses_nothing_while_others_write(engine: Engine) -> None:
    tenant, done = uuid4().hex, threading.Event()

    def write(number: int) -> None:
        for count in range(COMMITS):
            with transaction(engine) as session:
                if (number + count) % 2:  # events come with and without an audit event before them
                    audit.record(session, actor="test", action="test.done")
                outbox.publish(session, tenant, EventType.BATCH_COMPLETED, {"n": number})
                session.execute(text("SELECT pg_sleep(random() / 500)"))

    def follow() -> list[int]:
        seen: list[int] = [0]
        ending = False
        while not ending:
            ending = done.is_set()
            with engine.connect() as connection:
                query = text("SELECT position FROM moderation_v1.events WHERE tenant_id = :t AND position > :p ORDER BY position")
                seen += connection.execute(query, {"t": tenant, "p": seen[-1]}).scalars()
        return seen[1:]

    with ThreadPoolExecutor(THREADS + 1) as pool:
        follower = pool.submit(follow)
        list(pool.map(write, range(THREADS)))
        done.set()
        seen = follower.result()
    assert len(seen) == THREADS * COMMITS
