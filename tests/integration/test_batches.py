"""Batches and slices against the real Postgres, with the application's own rights."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from worker.moderation.errors import FencedError, RejectedError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.outcomes import OutcomeKind
from worker.moderation.policy import DEFAULT_POLICY
from worker.store.batches import cancel_batch, find_batch, list_batches, open_batch, rescan_batch, resume_batch
from worker.store.models import BatchRow
from worker.store.models.intake import BatchState
from worker.store.progress import Judges, progress
from worker.store.session import transaction
from worker.store.slices import NewItem, NewRowError, Slice, SliceCount, append_slice, finish_intake


def opened(engine: Engine, *, key: str | None = None, digest: str = "digest", tenant: str = "default") -> BatchRow:
    with transaction(engine) as session:
        return open_batch(
            session,
            batch_id=new_uuid7(),
            tenant_id=tenant,
            idempotency_key=key or uuid4().hex,
            request_digest=digest,
            source="test",
            priority=0,
            policy=DEFAULT_POLICY,
            actor="test",
        )


def item(line: int, custom_id: str | None = None) -> NewItem:
    return NewItem(line, custom_id or f"line:{line}", "photos", f"{line}.jpg", None, None)


def append(
    engine: Engine, batch_id: UUID, items: Sequence[NewItem], errors: Sequence[NewRowError] = (), *, expect_duplicates: bool = False
) -> SliceCount:
    with transaction(engine) as session:
        after = find_batch(session, batch_id).intake_cursor
        line = max([row.line for row in items] + [row.line for row in errors])
        part = Slice(items=items, errors=errors, after=after, cursor={"line": line})
        return append_slice(session, batch_id, part, chunk_items=4, expect_duplicates=expect_duplicates)


def finished(engine: Engine, batch_id: UUID) -> BatchState:
    with transaction(engine) as session:
        return finish_intake(session, batch_id, actor="test")


def rows(engine: Engine, query: str, batch_id: UUID) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), {"batch_id": batch_id})]


def chunks(engine: Engine, batch_id: UUID, revision: int = 1) -> list[tuple[object, ...]]:
    query = f"SELECT lo, hi FROM chunks WHERE batch_id = :batch_id AND revision = {revision} ORDER BY lo"  # noqa: S608
    return rows(engine, query, batch_id)


def end(engine: Engine, batch_id: UUID, state: BatchState = BatchState.FINISHED) -> None:
    with transaction(engine) as session:
        session.execute(text("UPDATE chunks SET state = 'done' WHERE batch_id = :id"), {"id": batch_id})
        session.execute(text("UPDATE batches SET state = :state, finished_at = now() WHERE id = :id"), {"id": batch_id, "state": state})


def settle(session: Session, batch_id: UUID, ordinals: Sequence[int], kind: OutcomeKind, *, revision: int = 1) -> None:
    query = """INSERT INTO outcomes (batch_id, ordinal, revision, chunk_id, kind, verdict)
               VALUES (:batch_id, :ordinal, :revision, 0, :kind, CASE WHEN :kind = 'verdict' THEN 'real' END)"""
    for ordinal in ordinals:
        session.execute(text(query), {"batch_id": batch_id, "ordinal": ordinal, "revision": revision, "kind": kind.value})


def test_the_same_key_gives_the_same_batch_and_another_request_is_refused(engine: Engine) -> None:
    first, again = opened(engine, key="k"), opened(engine, key="k")
    assert again.id == first.id
    assert opened(engine, key="k", tenant="other").id != first.id
    with pytest.raises(RejectedError) as refused:
        opened(engine, key="k", digest="another")
    assert refused.value.code == "idempotency_conflict"
    assert rows(engine, "SELECT action FROM audit_events WHERE batch_id = :batch_id", first.id) == [("batch.created",)]


def test_ordinals_are_dense_and_chunks_meet_over_slices(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [item(n) for n in range(1, 7)], [NewRowError(7, "bad", "Bad.")])
    append(engine, batch_id, [item(n) for n in range(8, 11)])
    assert rows(engine, "SELECT ordinal, line FROM items WHERE batch_id = :batch_id ORDER BY 1", batch_id) == list(
        enumerate([1, 2, 3, 4, 5, 6, 8, 9, 10])
    )
    assert chunks(engine, batch_id) == [(0, 4), (4, 6), (6, 9)]
    assert finished(engine, batch_id) is BatchState.RUNNING
    with transaction(engine) as session:
        standing = progress(session, batch_id)
    assert (standing.accepted, standing.rejected, standing.pending, standing.scope) == (9, 1, 9, 9)


@pytest.mark.parametrize("expected", [False, True], ids=["met by surprise", "expected"])
def test_a_duplicate_of_an_earlier_slice_is_a_row_error_naming_its_line(engine: Engine, expected: bool) -> None:  # noqa: FBT001
    batch_id = opened(engine).id
    append(engine, batch_id, [item(1, "a"), item(2, "line:5")])
    count = append(engine, batch_id, [item(3, "b"), item(4, "a"), item(5), item(6)], expect_duplicates=expected)
    assert count == SliceCount(accepted=2, rejected=2, duplicates=2)
    errors = rows(engine, "SELECT line, code, message FROM row_errors WHERE batch_id = :batch_id ORDER BY 1", batch_id)
    assert [error[:2] for error in errors] == [(4, "duplicate_custom_id"), (5, "duplicate_custom_id")]
    assert ["on line 1" in str(errors[0][2]), "on line 2" in str(errors[1][2])] == [True, True]
    assert rows(engine, "SELECT ordinal, custom_id FROM items WHERE batch_id = :batch_id ORDER BY 1", batch_id) == [
        (0, "a"),
        (1, "line:5"),
        (2, "b"),
        (3, "line:6"),
    ]


def test_a_slice_of_duplicates_alone_cuts_no_chunk(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [item(1, "a")])
    append(engine, batch_id, [item(2, "a")])
    assert chunks(engine, batch_id) == [(0, 1)]


@pytest.mark.parametrize("text_", ["back\\slash", "\\N", "\\.", "'; DROP TABLE items; --", "ü🐈", '"', "a,b", "\u2028"])
def test_any_text_comes_through_copy(engine: Engine, text_: str) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [NewItem(1, text_, "photos", text_, text_, '{"a":"\\\\N \\" \\ud83d\\udc08"}')])
    found = rows(engine, "SELECT custom_id, key, version_id, metadata FROM items WHERE batch_id = :batch_id", batch_id)
    assert found == [(text_, text_, text_, {"a": '\\N " 🐈'})]


def test_a_writer_that_is_behind_is_fenced(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [item(1)])
    stale = Slice(items=[item(1)], errors=[], after={}, cursor={"line": 1})
    with pytest.raises(FencedError), transaction(engine) as session:
        append_slice(session, batch_id, stale, chunk_items=4)
    assert rows(engine, "SELECT count(*) FROM items WHERE batch_id = :batch_id", batch_id) == [(1,)]


def test_a_failing_slice_leaves_nothing(engine: Engine) -> None:
    batch_id = opened(engine).id
    with pytest.raises(DBAPIError):
        append(engine, batch_id, [item(1), NewItem(2, "b", "photos", "b.jpg", None, "{")], [NewRowError(3, "bad", "Bad.")])
    assert rows(engine, "SELECT count(*) FROM items WHERE batch_id = :batch_id", batch_id) == [(0,)]
    assert chunks(engine, batch_id) == []


def test_a_batch_without_a_good_row_is_rejected(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [], [NewRowError(1, "bad", "Bad.")])
    assert finished(engine, batch_id) is BatchState.REJECTED
    with pytest.raises(RejectedError):
        append(engine, batch_id, [item(2)])


def test_a_cancelled_batch_takes_no_more_rows(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [item(1)])
    with transaction(engine) as session:
        assert cancel_batch(session, batch_id, actor="test") is BatchState.CANCELLING
        assert cancel_batch(session, batch_id, actor="test") is BatchState.CANCELLING
    with pytest.raises(RejectedError) as refused:
        append(engine, batch_id, [item(2)])
    assert refused.value.code == "batch_closed"
    assert finished(engine, batch_id) is BatchState.CANCELLING
    end(engine, batch_id, BatchState.CANCELLED)
    with transaction(engine) as session:
        assert cancel_batch(session, batch_id, actor="test") is BatchState.CANCELLED


@pytest.mark.parametrize("received", [False, True])
def test_a_paused_batch_resumes_what_it_was_doing(engine: Engine, received: bool) -> None:  # noqa: FBT001
    batch_id = opened(engine).id
    append(engine, batch_id, [item(1)])
    if received:
        finished(engine, batch_id)
    with transaction(engine) as session:
        session.execute(text("UPDATE batches SET state = 'paused', pause_reason = 'x' WHERE id = :id"), {"id": batch_id})
    if not received:
        append(engine, batch_id, [item(2)])  # only judging waits
    with transaction(engine) as session:
        assert resume_batch(session, batch_id, actor="test") is (BatchState.RUNNING if received else BatchState.RECEIVING)
    with pytest.raises(RejectedError) as refused, transaction(engine) as session:
        resume_batch(session, batch_id, actor="test")
    assert refused.value.code == "batch_not_paused"


def test_a_resumed_batch_gives_back_what_workers_dropped_while_it_was_paused(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [item(1)])
    with transaction(engine) as session:
        session.execute(text("UPDATE chunks SET state = 'announced' WHERE batch_id = :id"), {"id": batch_id})
        session.execute(text("UPDATE batches SET state = 'paused' WHERE id = :id"), {"id": batch_id})
    with transaction(engine) as session:
        resume_batch(session, batch_id, actor="test")
    assert rows(engine, "SELECT state FROM chunks WHERE batch_id = :batch_id", batch_id) == [("ready",)]


def test_batches_are_listed_newest_first_by_pages(engine: Engine) -> None:
    made = [opened(engine, tenant="lister").id for _ in range(5)]
    with transaction(engine) as session:
        first = [row.id for row in list_batches(session, tenant_id="lister", limit=3)]
        second = [row.id for row in list_batches(session, tenant_id="lister", before=first[-1], limit=3)]
        with pytest.raises(RejectedError):
            find_batch(session, made[0], tenant_id="default")
        with pytest.raises(RejectedError):
            find_batch(session, uuid4())
    assert first + second == sorted(made, reverse=True)


def test_a_rescan_covers_the_whole_batch_at_a_new_revision(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [item(n) for n in range(1, 7)])
    finished(engine, batch_id)
    with pytest.raises(RejectedError) as refused, transaction(engine) as session:
        rescan_batch(session, batch_id, chunk_items=4, actor="test")
    assert refused.value.code == "batch_unfinished"
    end(engine, batch_id)
    with transaction(engine) as session:
        assert rescan_batch(session, batch_id, chunk_items=4, actor="test") == 6
        standing = progress(session, batch_id)
    assert chunks(engine, batch_id, revision=2) == [(0, 4), (4, 6)]
    assert (standing.state, standing.revision, standing.pending) == (BatchState.RUNNING, 2, 6)


def test_a_rescan_of_some_kinds_covers_exactly_their_items(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [item(n) for n in range(1, 13)])
    finished(engine, batch_id)
    end(engine, batch_id)
    with transaction(engine) as session:
        settle(session, batch_id, [0, 2, 9, 11], OutcomeKind.VERDICT)
        settle(session, batch_id, [1, 3, 4, 5, 6, 7, 8, 10], OutcomeKind.FAILED)
        settle(session, batch_id, [10], OutcomeKind.VERDICT, revision=2)  # its newest outcome is no failure any more
        with pytest.raises(RejectedError) as refused:
            rescan_batch(session, batch_id, only=[OutcomeKind.UNREADABLE], chunk_items=4, actor="test")
        assert refused.value.code == "nothing_to_rescan"
    with transaction(engine) as session:
        session.execute(text("UPDATE batches SET revision = 2 WHERE id = :id"), {"id": batch_id})
        assert rescan_batch(session, batch_id, only=[OutcomeKind.FAILED], chunk_items=4, actor="test") == 7
        standing = progress(session, batch_id)
    assert chunks(engine, batch_id, revision=3) == [(1, 2), (3, 7), (7, 9)]
    assert (standing.revision, standing.accepted, standing.scope, standing.pending) == (3, 12, 7, 7)


def test_progress_sums_the_newest_revision_and_its_zooms(engine: Engine) -> None:
    batch_id = opened(engine).id
    append(engine, batch_id, [item(n) for n in range(1, 9)])
    trace = """INSERT INTO traces (batch_id, ordinal, revision, stage, attempt, request, reply, finish_reason, prompt_tokens,
                                   cached_tokens, attainable_tokens, completion_tokens, seconds)
               VALUES (:id, :ordinal, 1, :stage, 1, '{}', '', 'stop', 1000, :cached, :attainable, 1, 1)"""
    with transaction(engine) as session:
        empty = progress(session, batch_id)
        session.execute(
            text("UPDATE chunks SET verdicts = 2, flagged = 1, failed = 1, state = 'split' WHERE batch_id = :id AND lo = 0"),
            {"id": batch_id},
        )
        session.execute(text("INSERT INTO chunks (batch_id, lo, hi, unreadable) VALUES (:id, 2, 4, 1)"), {"id": batch_id})
        for ordinal, stage, cached, attainable in (
            (0, "zoom", 720, 800),
            (1, "zoom", 800, 800),
            (2, "zoom", None, None),
            (0, "scan", 9, 9),
        ):
            session.execute(text(trace), {"id": batch_id, "ordinal": ordinal, "stage": stage, "cached": cached, "attainable": attainable})
        standing = progress(session, batch_id)
    assert empty.judges == Judges()
    assert (standing.verdicts, standing.flagged, standing.failed, standing.unreadable, standing.pending) == (2, 1, 1, 1, 4)
    assert standing.judges.cached_prompt_share == pytest.approx(0.76)
    assert standing.judges.cached_attainable_share == pytest.approx(0.95)
