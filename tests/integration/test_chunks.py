"""Leases, fences and sweeps on a real Postgres."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests.integration.queue_world import MAX_ATTEMPTS, RELEASE, World, reconciles, verdict
from worker.moderation.errors import FencedError
from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.store.announcements import demand, rering, unring
from worker.store.chunks import Lease, claim, complete, fence, pending_items, release, release_as_suspect, renew
from worker.store.models.intake import BatchState
from worker.store.outcome_rows import digest
from worker.store.outcomes import Judgement, record_outcomes
from worker.store.session import transaction
from worker.store.settlement import cancel_rest, finish_batches, settle_cancelled
from worker.store.sweeps import expire_leases, leaseholders, split_or_fail, void_leases

JUDGEMENT = Judgement(actor="test", release=RELEASE, evidence_bucket="evidence")


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    world = World(engine)
    world.retire()
    yield world
    world.retire()


def take(world: World, chunk_id: int, owner: str = "w", seconds: float = 60) -> Lease:
    with transaction(world.engine) as session:
        lease = claim(session, chunk_id, owner, seconds)
    assert lease is not None
    return lease


def write(world: World, lease: Lease, ordinals: list[int]) -> int:
    with transaction(world.engine) as session:
        items = {item.ordinal: item for item in pending_items(session, lease)}
        return record_outcomes(session, lease, [verdict(items[o]) for o in ordinals], JUDGEMENT).tally.total


def test_two_claimants_get_one_lease(world: World) -> None:
    world.batch(4)
    (chunk_id,) = world.announced()
    barrier = threading.Barrier(8)

    def claimant(number: int) -> Lease | None:
        with transaction(world.engine) as session:
            barrier.wait()
            return claim(session, chunk_id, f"w{number}", 60)

    with ThreadPoolExecutor(8) as pool:
        leases = [lease for lease in pool.map(claimant, range(8)) if lease]
    assert len(leases) == 1
    assert world.chunk(chunk_id).lease_token == leases[0].token
    assert world.chunk(chunk_id).attempts == 1


@pytest.mark.parametrize("state", ["paused", "cancelling", "finished", "cancelled", "rejected"])
def test_chunk_of_a_batch_that_is_not_open_is_not_claimed(world: World, state: str) -> None:
    batch_id = world.batch(4)
    (chunk_id,) = world.announced()
    world.rows("UPDATE batches SET state = :state WHERE id = :id", state=state, id=batch_id)
    with transaction(world.engine) as session:
        assert claim(session, chunk_id, "w", 60) is None


def test_stale_lease_writes_nothing(world: World) -> None:
    batch_id = world.batch(4)
    (chunk_id,) = world.announced()
    stale = take(world, chunk_id, seconds=-1)
    with transaction(world.engine) as session:
        assert expire_leases(session, max_attempts=MAX_ATTEMPTS) == 1
    world.announced()
    current = take(world, chunk_id)
    with transaction(world.engine) as session:
        outcomes = [verdict(item) for item in pending_items(session, stale)]
    for refused in (lambda s, lease: record_outcomes(s, lease, outcomes, JUDGEMENT), fence, complete, lambda s, lease: renew(s, lease, 60)):
        with pytest.raises(FencedError), transaction(world.engine) as session:
            refused(session, stale)
    assert world.counts(batch_id) == {}
    assert world.chunk(chunk_id).lease_token == current.token


def test_outcome_is_recorded_with_everything_that_hangs_on_it(world: World) -> None:
    batch_id = world.batch(2)
    lease = take(world, world.announced()[0])
    assert write(world, lease, [0]) == 1
    where = {"id": batch_id}
    assert world.value("SELECT explanation FROM outcomes WHERE batch_id = :id", **where) == "a hand with six fingers ?"
    assert world.value("SELECT crop_x1 FROM regions WHERE batch_id = :id", **where) == 35
    assert world.value("SELECT count(*) FROM traces WHERE batch_id = :id", **where) == 2
    assert world.value("SELECT route FROM routings WHERE batch_id = :id AND mode = 'live'", **where) == "flag"
    assert world.value("SELECT retention_class FROM evidence WHERE sha256 = :sha", sha=f"{batch_id.hex}{0:032d}") == "case"
    chunk = world.chunk(lease.chunk_id)
    assert (chunk.verdicts, chunk.flagged, chunk.attempts) == (1, 1, 0)


def test_audited_digest_can_be_recomputed_from_the_tables(world: World) -> None:
    batch_id = world.batch(2)
    lease = take(world, world.announced()[0])
    write(world, lease, [0])
    world.rows("UPDATE batches SET state = 'cancelling' WHERE id = :id", id=batch_id)
    with transaction(world.engine) as session:
        cancel_rest(session, lease, actor="test")
    for ordinal in (0, 1):
        where = {"id": batch_id, "ordinal": ordinal}
        outcome, regions, traces = (
            [row._asdict() for row in world.rows(f"{query} WHERE batch_id = :id AND ordinal = :ordinal ORDER BY 4, 5", **where)]
            for query in ("SELECT * FROM outcomes", "SELECT * FROM regions", "SELECT * FROM traces")
        )
        audited = world.value("SELECT payload_digest FROM audit_events WHERE batch_id = :id AND ordinal = :ordinal", **where)
        assert digest(outcome[0], regions, traces) == audited


def test_repeated_outcome_is_a_discarded_duplicate(world: World) -> None:
    batch_id = world.batch(2)
    lease = take(world, world.announced()[0])
    with transaction(world.engine) as session:
        items = pending_items(session, lease)
    for expected in ((2, 0), (0, 2)):
        with transaction(world.engine) as session:
            recorded = record_outcomes(session, lease, [verdict(item) for item in items], JUDGEMENT)
        assert (recorded.tally.total, recorded.duplicates) == expected
    assert reconciles(world, batch_id)


def test_retention_class_of_evidence_only_rises(world: World) -> None:
    world.batch(3)
    lease = take(world, world.announced()[0])
    with transaction(world.engine) as session:
        items = pending_items(session, lease)
    shared = verdict(items[0]).evidence
    found = []
    for item, p in zip(items, (0.05, 0.9, 0.05), strict=True):
        outcome = verdict(item, p)
        with transaction(world.engine) as session:
            record_outcomes(session, lease, [replace(outcome, evidence=shared)], JUDGEMENT)
        found.append(world.value("SELECT retention_class FROM evidence WHERE sha256 = :sha", sha=shared[0].sha256))
    assert found == ["routine", "case", "case"]


def test_the_leases_of_a_dead_worker_need_not_run_out(world: World) -> None:
    world.batch(4)
    (chunk_id,) = world.announced()
    lease = take(world, chunk_id, "dead", seconds=600)
    with transaction(world.engine) as session:
        assert leaseholders(session) == ["dead"]
        assert void_leases(session, ["somebody else"]) == 0
        assert void_leases(session, ["dead"]) == 1
    with transaction(world.engine) as session:
        assert expire_leases(session, max_attempts=MAX_ATTEMPTS) == 1
    with pytest.raises(FencedError), transaction(world.engine) as session:
        fence(session, lease)


def test_expired_lease_reruns_only_unfinished_items(world: World) -> None:
    world.batch(5)
    (chunk_id,) = world.announced()
    lease = take(world, chunk_id, seconds=-1)
    write(world, lease, [1, 3])
    with transaction(world.engine) as session:
        assert expire_leases(session, max_attempts=MAX_ATTEMPTS) == 1
    assert world.announced() == [chunk_id]
    with transaction(world.engine) as session:
        again = claim(session, chunk_id, "w2", 60)
        assert again is not None
        assert [item.ordinal for item in pending_items(session, again)] == [0, 2, 4]


def test_live_lease_does_not_expire_and_renewing_keeps_it(world: World) -> None:
    world.batch(1)
    (chunk_id,) = world.announced()
    lease = take(world, chunk_id, seconds=-1)
    with transaction(world.engine) as session:
        assert renew(session, lease, 60) is BatchState.RUNNING
    with transaction(world.engine) as session:
        assert expire_leases(session, max_attempts=MAX_ATTEMPTS) == 0


def test_progress_resets_attempts(world: World) -> None:
    world.batch(3)
    (chunk_id,) = world.announced()
    for _ in range(2):
        lease = take(world, chunk_id)
        with transaction(world.engine) as session:
            release(session, lease, charge=True, delay_seconds=0, reason="x: y")
        world.announced()
    lease = take(world, chunk_id)
    assert lease.attempts == 3
    write(world, lease, [0])
    assert world.chunk(chunk_id).attempts == 0


def test_uncharged_release_gives_the_attempt_back_and_waits(world: World) -> None:
    world.batch(3)
    (chunk_id,) = world.announced()
    lease = take(world, chunk_id)
    with transaction(world.engine) as session:
        release(session, lease, charge=False, delay_seconds=60, reason="object_store_unavailable: away")
    assert world.chunk(chunk_id).attempts == 0
    assert world.announced() == []
    world.rows("UPDATE chunks SET next_attempt_at = now() WHERE id = :id", id=chunk_id)
    assert world.announced() == [chunk_id]


def test_complete_refuses_while_an_item_lacks_its_outcome(world: World) -> None:
    world.batch(2)
    lease = take(world, world.announced()[0])
    write(world, lease, [0])
    with transaction(world.engine) as session:
        assert not complete(session, lease)
    write(world, lease, [1])
    with transaction(world.engine) as session:
        assert complete(session, lease)
    assert world.chunk(lease.chunk_id).state == "done"


def test_suspects_rerun_one_at_a_time(world: World) -> None:
    world.batch(6, chunk=1)
    ids = world.announced(3)
    for chunk_id in ids:
        lease = take(world, chunk_id)
        with transaction(world.engine) as session:
            release_as_suspect(session, lease, max_attempts=MAX_ATTEMPTS, reason="engine_died: gone")
    first = set(world.announced())
    assert len(first & set(ids)) == 1
    assert len(first) == 4  # beside it, the three that never were in flight
    assert world.announced() == []
    (suspect,) = first & set(ids)
    lease = take(world, suspect)
    assert world.announced() == []
    write(world, lease, [world.chunk(suspect).lo])
    with transaction(world.engine) as session:
        complete(session, lease)
    assert len(world.announced()) == 1


def test_poison_image_fails_alone_within_its_bound(world: World) -> None:
    """Every other image of a lease is written before the poison kills the engine: the worst case for counting attempts."""
    batch_id = world.batch(64, chunk=64)
    poison, deaths = 37, 0
    for _ in range(200):
        for chunk_id in world.announced():
            lease = take(world, chunk_id)
            with transaction(world.engine) as session:
                pending = [item.ordinal for item in pending_items(session, lease)]
            healthy = [o for o in pending if o != poison][:1] if poison in pending else pending
            write(world, lease, healthy)
            with transaction(world.engine) as session:
                if poison in pending:
                    deaths += 1
                    release_as_suspect(session, lease, max_attempts=MAX_ATTEMPTS, reason="engine_died: killed")
                else:
                    assert complete(session, lease)
        with transaction(world.engine) as session:
            split_or_fail(session, max_attempts=MAX_ATTEMPTS, actor="test")
        with transaction(world.engine) as session:
            if finish_batches(session, actor="test"):
                break
    assert world.counts(batch_id) == {"verdict": 63, "failed": 1}
    failed = world.rows("SELECT ordinal, error_code FROM outcomes WHERE batch_id = :id AND kind = 'failed'", id=batch_id)
    assert failed == [(poison, "image_kills_worker")]
    assert deaths <= 6 + MAX_ATTEMPTS
    assert reconciles(world, batch_id)


def test_image_whose_attempts_are_used_up_fails_with_its_last_error(world: World) -> None:
    batch_id = world.batch(1)
    for _ in range(MAX_ATTEMPTS):
        (chunk_id,) = world.announced()
        lease = take(world, chunk_id)
        with transaction(world.engine) as session:
            release(session, lease, charge=True, delay_seconds=0, reason="decoder_died: the decoder died")
    assert world.announced() == []
    with transaction(world.engine) as session:
        assert split_or_fail(session, max_attempts=MAX_ATTEMPTS, actor="test").failed == 1
    assert world.value("SELECT error_code FROM outcomes WHERE batch_id = :id", id=batch_id) == "decoder_died"
    assert reconciles(world, batch_id)


def test_cancelling_settles_what_nobody_holds_in_slices(world: World) -> None:
    batch_id = world.batch(10, chunk=2)
    held, announced, *_ = world.announced(2)
    lease = take(world, held)
    write(world, lease, [world.chunk(held).lo])
    world.rows("UPDATE batches SET state = 'cancelling' WHERE id = :id", id=batch_id)
    settled: list[int] = []
    while not settled or settled[-1]:
        with transaction(world.engine) as session:
            settled.append(settle_cancelled(session, actor="test", limit=3).chunks)
    assert settled == [3, 1, 0]
    assert world.chunk(announced).state == "done"
    with transaction(world.engine) as session:
        assert batch_id not in finish_batches(session, actor="test")
    with transaction(world.engine) as session:
        cancel_rest(session, lease, actor="test")
    with transaction(world.engine) as session:
        assert finish_batches(session, actor="test") == [batch_id]
    assert world.counts(batch_id) == {"verdict": 1, "cancelled": 9}
    assert world.value("SELECT state FROM batches WHERE id = :id", id=batch_id) == "cancelled"
    assert reconciles(world, batch_id)


def test_finished_batch_leaves_its_event_and_is_finished_once(world: World) -> None:
    batch_id = world.batch(2)
    lease = take(world, world.announced()[0])
    with transaction(world.engine) as session:
        items = pending_items(session, lease)
        unreadable = Outcome(
            ordinal=1, kind=OutcomeKind.UNREADABLE, release_id=RELEASE.id, error_code="reply_unreadable", error_message="m"
        )
        record_outcomes(session, lease, [verdict(items[0]), unreadable], JUDGEMENT)
        complete(session, lease)
    for expected in ([batch_id], []):
        with transaction(world.engine) as session:
            assert finish_batches(session, actor="test") == expected
    events = world.rows("SELECT payload FROM outbox WHERE payload->>'batch_id' = :id AND type = 'batch.completed'", id=str(batch_id))
    assert [event.payload["counts"] for event in events] == [
        {"accepted": 2, "rejected": 0, "verdicts": 1, "flagged": 1, "unreadable": 1, "failed": 0, "cancelled": 0}
    ]


def test_rescan_writes_a_second_revision_beside_the_first(world: World) -> None:
    batch_id = world.batch(2)
    lease = take(world, world.announced()[0])
    write(world, lease, [0, 1])
    with transaction(world.engine) as session:
        complete(session, lease)
    world.rows("UPDATE batches SET revision = 2 WHERE id = :id", id=batch_id)
    world.rows("INSERT INTO chunks (batch_id, revision, lo, hi) VALUES (:id, 2, 0, 2)", id=batch_id)
    second = take(world, world.announced()[0])
    assert write(world, second, [0, 1]) == 2
    assert world.counts(batch_id, 1) == world.counts(batch_id, 2) == {"verdict": 2}


def test_unanswered_announcement_is_rung_again_with_growing_patience(world: World) -> None:
    world.batch(1)
    (chunk_id,) = world.announced()

    def rung_after(seconds: float) -> int:
        world.rows("UPDATE chunks SET announced_at = now() - make_interval(secs => :s) WHERE id = :id", s=seconds, id=chunk_id)
        with transaction(world.engine) as session:
            return rering(session, 60)

    assert rung_after(59) == 0
    assert rung_after(61) == 1
    assert world.announced() == [chunk_id]
    assert rung_after(61) == 0
    assert rung_after(121) == 1


def test_unring_makes_a_chunk_ready_as_if_never_announced(world: World) -> None:
    world.batch(1)
    ids = world.announced()
    with transaction(world.engine) as session:
        assert unring(session, ids) == 1
    assert world.chunk(ids[0]).announcements == 0
    assert world.announced() == ids


def test_priority_then_the_least_served_tenant_then_the_least_served_batch_comes_first(world: World) -> None:
    huge = world.batch(100, chunk=1, tenant="big")
    world.announced(4)
    small = world.batch(2, chunk=1, tenant="small")
    beside = world.batch(2, chunk=1, tenant="big")
    urgent = world.batch(1, tenant="big", priority=5)
    order = [world.chunk(chunk_id).batch_id for chunk_id in world.announced(7)]
    assert order[0] == urgent
    assert order[1:3] == [small, small]
    assert order[3:5] == [beside, beside]
    assert order[5:] == [huge, huge]


def test_demand_counts_open_chunks_and_live_workers(world: World) -> None:
    world.batch(4, chunk=1)
    first, second = world.announced(2)
    take(world, first, owner="a")
    with transaction(world.engine) as session:
        now = demand(session)
    assert (now.announced, now.leased, now.ready, now.workers) == (1, 1, 2, 1)
    assert now.oldest_seconds >= 0
    assert world.chunk(second).state == "announced"


def test_unknown_chunk_is_not_claimed(world: World) -> None:
    with transaction(world.engine) as session:
        assert claim(session, 2**40, str(uuid4()), 60) is None
