"""Erasing one image on real Postgres and S3: everything of it goes, counts add up, the audit trail verifies, nothing brings it back."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.integration.queue_world import World
from tests.integration.retention_world import FLAGGED, REVIEWED, RetentionWorld, pixels
from tests.integration.statement_world import REASONS
from worker.audit.check import check_trail
from worker.audit.seals import export_seal
from worker.exports.jsonl import result_object
from worker.intake.storage import Storage
from worker.moderation.errors import FencedError, RejectedError
from worker.moderation.explanation_jobs import AskedJob, JobKind
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import OutcomeKind, Verdict
from worker.moderation.policy import Action
from worker.moderation.review import DEFAULT_QUEUE, JudgementKind, RegionJudgement, ReviewVerdict
from worker.moderation.settings import Settings
from worker.moderation.statement_of_reasons import Reasons
from worker.retention.run import remove_let_go
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.batches import rescan_batch, rescan_item
from worker.store.chunks import pending_items
from worker.store.decisions import current_decision
from worker.store.explanation_jobs import ask_for, claim_job, fail_job, finish_job, put_back_job
from worker.store.overrides import Override, override
from worker.store.progress import progress
from worker.store.results import read_results
from worker.store.review_answers import Answer
from worker.store.review_claims import claim_task
from worker.store.review_tasks import Claimant
from worker.store.reviews import submit_review
from worker.store.session import transaction
from worker.store.statement_queue import lease_due, put_off, record_refused, record_withdrawn, withdraw_moot
from worker.store.statements_of_reasons import draft_statement, sign_statement, withdraw_statement

WORDS = "a person named in the picture"
MEASURED = "jpeg_quality = 61, blur = 2.5, rescaling = 1.7, border = '{1,2,3,4}', degradation_band = 'blurred'"


@pytest.fixture
def world(engine: Engine, storage: Storage, settings: Settings) -> Iterator[RetentionWorld]:
    world = RetentionWorld.apart(engine, storage, settings)
    world.world.retire()
    yield world
    world.world.retire()


def leftovers(world: RetentionWorld, batch_id: UUID, ordinal: int) -> str:
    """Every row of every table that names the batch and the ordinal, as text; without the trail, which is checked by itself."""
    found = []
    for table in ("items", "outcomes", "regions", "traces", "routings", "review_tasks", "decisions", "erasures"):
        sql = f"SELECT to_jsonb(t) FROM {table} AS t WHERE batch_id = :id AND ordinal = :ordinal"  # noqa: S608
        found += [json.dumps(row[0]) for row in world.world.rows(sql, id=batch_id, ordinal=ordinal)]
    for table in ("reviews", "review_claims"):
        sql = f"SELECT to_jsonb(r) FROM {table} AS r JOIN review_tasks AS t ON t.id = r.task_id WHERE t.batch_id = :id"  # noqa: S608
        found += [json.dumps(row[0]) for row in world.world.rows(sql, id=batch_id)]
    stated = "SELECT to_jsonb(s) FROM statements_of_reasons AS s JOIN decisions AS d ON d.id = s.decision_id WHERE d.batch_id = :id"
    found += [json.dumps(row[0]) for row in world.world.rows(stated, id=batch_id)]
    for table in ("batches", "chunks"):
        sql = f"SELECT to_jsonb(t) FROM {table} AS t WHERE {'id' if table == 'batches' else 'batch_id'} = :id"  # noqa: S608
        found += [json.dumps(row[0]) for row in world.world.rows(sql, id=batch_id)]
    return "\n".join(found)


def refusal(code: str) -> "pytest.RaisesExc[RejectedError]":
    return pytest.RaisesExc(RejectedError, check=lambda error: error.code == code)


def ann(world: RetentionWorld) -> Claimant:
    return Claimant(tenant_id=world.tenant, reviewer="ann")


def review(world: RetentionWorld, verdict: ReviewVerdict = ReviewVerdict.GENERATED) -> None:
    with transaction(world.engine) as session:
        claim = claim_task(session, ann(world), DEFAULT_QUEUE)
        assert claim is not None
        judged = (RegionJudgement(kind=JudgementKind.ACCEPT, position=1),)
        said = Answer(verdict=verdict, action=Action.LABEL, note=WORDS, judgements=judged)
        submit_review(session, ann(world), claim.task_id, claim.token, said, version=claim.version)


def test_nothing_that_shows_or_describes_the_image_is_left(world: RetentionWorld) -> None:
    body, other = pixels(), pixels()
    batch_id = world.judged({0: body, 1: other}, FLAGGED)
    named = {"id": batch_id, "words": WORDS}
    world.as_owner("UPDATE outcomes SET perceptual_hash = -7061051 WHERE batch_id = :id", id=batch_id)
    world.as_owner(f"UPDATE outcomes SET {MEASURED} WHERE batch_id = :id", id=batch_id)  # noqa: S608
    named_by = "custom_id = CAST(:words AS text) || ordinal, key = :words, metadata = jsonb_build_object('who', CAST(:words AS text))"
    world.as_owner(f"UPDATE items SET {named_by} WHERE batch_id = :id", **named)  # noqa: S608
    world.as_owner("UPDATE outcomes SET explanation = :words, scan_explanation = :words WHERE batch_id = :id", **named)
    world.as_owner("UPDATE chunks SET last_error = :words WHERE batch_id = :id", **named)
    world.as_owner("UPDATE batches SET intake_cursor = jsonb_build_object('mark', CAST(:words AS text)) WHERE id = :id", **named)
    world.as_owner("UPDATE batches SET pause_reason = 's3://b/' || CAST(:words AS text) || ' was denied' WHERE id = :id", **named)
    review(world)
    with transaction(world.engine) as session:
        decision = current_decision(session, batch_id, 0)
        assert decision is not None
        told = dict.fromkeys(("decision_facts", "incompatible_content_explanation", "content_type_other"), WORDS)
        reasons = Reasons.model_validate({**REASONS, **told})
        statement = draft_statement(session, world.tenant, decision.id, reasons, actor="ann")
    assert WORDS in leftovers(world, batch_id, 0)
    gone, kept = world.stored(body), world.stored(other)

    world.erase(batch_id, 0)
    removed = remove_let_go(world.engine, world.storage, actor="test")

    left = leftovers(world, batch_id, 0)
    assert WORDS not in left.replace(f"{WORDS}1", "")
    assert gone.sha256 not in left
    assert "0" * 64 not in left
    assert "7061051" not in left
    shown = "SELECT jpeg_quality, blur, rescaling, border, degradation_band FROM moderation_v1.item_current WHERE batch_id = :id"
    assert [tuple(row) for row in world.world.rows(f"{shown} ORDER BY ordinal", id=batch_id)] == [
        (None,) * 5,
        (61, 2.5, 1.7, [1, 2, 3, 4], "blurred"),
    ]
    assert removed.objects >= 1
    assert world.world.value("SELECT state FROM statements_of_reasons WHERE id = :id", id=statement.id) == "withdrawn"
    assert (world.there(gone), world.there(kept)) == (False, True)
    assert world.world.value("SELECT count(*) FROM traces WHERE batch_id = :id AND ordinal = 1", id=batch_id) == 2
    assert world.world.value("SELECT count(*) FROM region_judgements AS g JOIN reviews AS r ON r.id = g.review_id JOIN review_tasks AS t"
                             " ON t.id = r.task_id WHERE t.batch_id = :id", id=batch_id) == 0  # fmt: skip


def test_counts_add_up_and_the_trail_and_its_seals_verify(world: RetentionWorld) -> None:
    batch_id, seals = world.judged({0: pixels(), 1: pixels()}, FLAGGED), f"seals-{uuid4().hex[:8]}"
    world.storage.ensure_bucket(seals)  # no other database's
    export_seal(world.engine, world.storage, seals)
    world.erase(batch_id, 0)
    world.erase(batch_id, 0)  # again is fine
    remove_let_go(world.engine, world.storage, actor="test")
    export_seal(world.engine, world.storage, seals)
    checked = check_trail(world.engine, world.storage, seals)
    assert (checked.broken, checked.seals >= 2) == (None, True)
    told = world.world.rows("SELECT ordinal, detail FROM audit_events WHERE batch_id = :id AND action = 'item.erased'", id=batch_id)
    assert [tuple(row) for row in told] == [(0, {"reason": "requested"})]
    with transaction(world.engine) as session:
        standing = progress(session, batch_id)
        erased, other = read_results(session, batch_id)
    assert (standing.verdicts, standing.flagged, standing.accepted) == (2, 2, 2)
    assert (erased.erased, erased.outcome, erased.verdict, erased.regions, erased.explanation) == (
        True,
        OutcomeKind.VERDICT,
        "generated",
        (),
        None,
    )
    assert (erased.source, other.erased) == ("", False)
    assert result_object(erased)["erased"] is True
    row = world.world.rows("SELECT * FROM moderation_v1.item_current WHERE batch_id = :id ORDER BY ordinal", id=batch_id)[0]
    assert (row.source_ref, row.explanation, row.image_sha256, row.erased_at is not None, row.outcome) == (
        None,
        None,
        None,
        True,
        "verdict",
    )


def test_an_open_task_is_withdrawn_and_its_claim_ends(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()}, REVIEWED)
    with transaction(world.engine) as session:
        claim = claim_task(session, ann(world), DEFAULT_QUEUE)
    assert claim is not None
    world.erase(batch_id, 0)
    task = world.world.rows("SELECT state, state_reason FROM review_tasks WHERE id = :id", id=claim.task_id)[0]
    assert tuple(task) == ("withdrawn", "the image was erased")
    assert world.world.value("SELECT state FROM review_claims WHERE token = :token", token=claim.token) == "released"


def test_an_image_with_an_open_appeal_is_not_erased_before_it_is_decided(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()}, FLAGGED)
    review(world)
    with transaction(world.engine) as session:
        decision = current_decision(session, batch_id, 0)
        assert decision is not None
        open_appeal(session, world.tenant, NewAppeal(decision_id=decision.id, statement=WORDS), actor="app")
    with refusal("item_contested"):
        world.erase(batch_id, 0)
    assert world.world.value("SELECT count(*) FROM traces WHERE batch_id = :id", id=batch_id) == 2


def test_an_erased_item_is_not_judged_again_and_a_rescan_of_its_batch_passes_it_over(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels(), 1: pixels()})
    world.erase(batch_id, 0)
    with refusal("item_erased"), transaction(world.engine) as session:
        rescan_item(session, batch_id, 0, actor="test")
    with transaction(world.engine) as session:
        assert rescan_batch(session, batch_id, chunk_items=256, actor="test") == 2
    lease = world.lease(batch_id)
    with transaction(world.engine) as session:
        assert [item.ordinal for item in pending_items(session, lease)] == [1]
    world.record(lease, [world.outcome(batch_id, 1, world.stored(pixels()))])
    world.finish(lease)
    with transaction(world.engine) as session:
        standing = progress(session, batch_id)
    assert (standing.revision, standing.verdicts, standing.cancelled, standing.pending) == (2, 1, 1, 0)


def test_a_worker_that_judges_the_image_at_that_moment_does_not_bring_it_back(world: RetentionWorld) -> None:
    batch_id = world.world.batch(2, tenant=world.tenant)
    lease = world.lease(batch_id)
    late, other = world.stored(pixels()), world.stored(pixels())
    world.erase(batch_id, 0)
    recorded = world.record(lease, [world.outcome(batch_id, 0, late, FLAGGED), world.outcome(batch_id, 1, other)])
    assert (recorded.tally.verdicts, recorded.duplicates) == (1, 1)
    world.finish(lease)
    remove_let_go(world.engine, world.storage, actor="test")
    assert (world.there(late), world.there(other)) == (False, True)
    assert world.world.counts(batch_id) == {"cancelled": 1, "verdict": 1}
    assert world.world.value("SELECT count(*) FROM traces WHERE batch_id = :id AND ordinal = 0", id=batch_id) == 0
    events = "SELECT count(*) FROM audit_events WHERE batch_id = :id AND action = 'outcome.recorded'"
    assert world.world.value(events, id=batch_id) == 2
    with transaction(world.engine) as session:
        standing = progress(session, batch_id)
    assert (standing.accepted, standing.verdicts + standing.cancelled, standing.pending) == (2, 2, 0)


@pytest.mark.parametrize("place", ["", "images/"])
def test_our_own_upload_goes_and_nobody_elses_object_does(world: RetentionWorld, place: str) -> None:
    batch_id = world.judged({0: pixels(), 1: pixels()})
    uploads, ours, theirs = world.settings.upload_bucket, f"folders/{uuid4().hex}/{place}a.jpg", "elsewhere/b.jpg"
    for ordinal, key in enumerate((ours, theirs)):
        world.storage.put(uploads, key, b"x", "image/jpeg")
        world.as_owner("UPDATE items SET bucket = :bucket, key = :key WHERE batch_id = :id AND ordinal = :n",
                       bucket=uploads, key=key, id=batch_id, n=ordinal)  # fmt: skip
        world.erase(batch_id, ordinal)
    assert world.world.value("SELECT count(*) FROM erasures WHERE batch_id = :id AND upload_key IS NOT NULL", id=batch_id) == 1
    remove_let_go(world.engine, world.storage, actor="test")
    assert [world.storage.exists(uploads, key) for key in (ours, theirs)] == [False, True]
    assert world.world.value("SELECT count(*) FROM erasures WHERE batch_id = :id AND upload_key IS NOT NULL", id=batch_id) == 0


def test_an_upload_that_another_item_names_goes_with_the_last_of_them(world: RetentionWorld) -> None:
    first, second = world.judged({0: pixels()}), world.judged({0: pixels()})
    uploads, key = world.settings.upload_bucket, f"folders/{uuid4().hex}/images/a.jpg"
    world.storage.put(uploads, key, b"x", "image/jpeg")
    world.as_owner("UPDATE items SET bucket = :bucket, key = :key WHERE batch_id IN (:a, :b)", bucket=uploads, key=key, a=first, b=second)
    for batch_id, there in ((first, True), (second, False)):
        world.erase(batch_id, 0)
        remove_let_go(world.engine, world.storage, actor="test")
        assert world.storage.exists(uploads, key) is there


def test_a_name_that_a_submitter_chose_does_not_keep_an_item_from_being_erased(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels(), 1: pixels()})
    world.as_owner("UPDATE items SET custom_id = :name WHERE batch_id = :id AND ordinal = 1", name=item_id(batch_id, 0), id=batch_id)
    world.erase(batch_id, 0)
    world.erase(batch_id, 1)
    assert world.world.value("SELECT count(*) FROM erasures WHERE batch_id = :id", id=batch_id) == 2


def test_erasing_again_erases_what_came_behind_the_first(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()})
    world.erase(batch_id, 0)
    before = leftovers(world, batch_id, 0)
    world.as_owner("UPDATE outcomes SET explanation = :words WHERE batch_id = :id", id=batch_id, words=WORDS)
    world.erase(batch_id, 0)
    assert leftovers(world, batch_id, 0) == before


LATE = {  # rows as a writer might leave them that does not look for tombstones, by table; the words are what must not stay
    "translations": "(batch_id, ordinal, revision, language, tenant_id, passages, source, machine, verified, asked_by)"
    " VALUES (:b, 0, 1, 'de', :t, jsonb_build_array(CAST(:words AS text)), 'm', true, '{}', 'ann')",
    "explanation_jobs": "(id, tenant_id, kind, batch_id, ordinal, revision, key, detail, asked_by, error_message)"
    " VALUES (:id, :t, 'look', :b, 0, 1, 'k', '{}', 'ann', :words)",
    "attention_maps": "(id, tenant_id, batch_id, ordinal, revision, sampled, method, release_id, logprob_gap, seconds, values_sha256)"
    " SELECT :id, :t, :b, 0, 1, false, 'm', (SELECT id FROM releases LIMIT 1), 0, 1, :sha",
    "attention_targets": "(map_id, position, batch_id, ordinal, name, stage, kind, number, text, on_images, layer_sha256, overlay_sha256)"
    " VALUES (:id, 1, :b, 0, 'scan-verdict', 'scan', 'verdict', 1, :words, 1, :sha, :sha)",
    "faithfulness_checks": "(batch_id, ordinal, revision, requests, prompt_tokens, completion_tokens, seconds, error_code, error_message)"
    " VALUES (:b, 0, 1, 0, 0, 0, 0, 'c', :words)",
    "faithfulness_maskings": "(batch_id, ordinal, revision, position, fill, p_masked, p_control, controls)"
    " VALUES (:b, 0, 1, 0, 'mean', 0, 0, jsonb_build_array(CAST(:words AS text)))",
    "coverage": "(batch_id, ordinal, revision, sent_width, sent_height, least, mean, share_half, share_native)"
    " VALUES (:b, 0, 1, 1, 1, 1, 1, 1, 1)",
}  # fmt: skip
GONE = set(LATE) - {"explanation_jobs", "faithfulness_checks"}  # of which states and numbers stay


def test_erasing_again_erases_what_other_tables_got_behind_the_first(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()})
    world.erase(batch_id, 0)
    picture = world.stored(pixels())
    world.as_owner("INSERT INTO evidence (sha256, bucket, key, media_type, byte_count, retention_class, due_at)"
                   " VALUES (:sha, :bucket, :key, 'image/png', 1, 'routine', 'infinity')",
                   sha=picture.sha256, bucket=world.bucket, key=picture.key)  # fmt: skip
    given = {"b": batch_id, "t": world.tenant, "id": uuid4(), "words": WORDS, "sha": picture.sha256}
    for table, row in LATE.items():
        world.as_owner(f"INSERT INTO {table} {row}", **{name: value for name, value in given.items() if f":{name}" in row})

    def rows(table: str) -> str:
        return json.dumps(world.world.value(f"SELECT jsonb_agg(x) FROM {table} AS x WHERE batch_id = :b AND ordinal = 0", b=batch_id))  # noqa: S608

    tombstone = rows("erasures")
    assert {table for table in LATE if WORDS in rows(table)} == set(LATE) - {"attention_maps", "coverage"}
    world.erase(batch_id, 0)
    remove_let_go(world.engine, world.storage, actor="test")
    assert {table for table in LATE if rows(table) == "null"} == GONE
    assert not any(WORDS in rows(table) for table in LATE)
    assert world.world.value("SELECT state FROM explanation_jobs WHERE id = :id", id=given["id"]) == "failed"
    assert not world.there(picture)
    assert rows("erasures") == tombstone


def test_a_job_that_ends_behind_the_erasing_stores_nothing(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()})
    asked = AskedJob(tenant_id=world.tenant, kind=JobKind.TRANSLATION, batch_id=batch_id, ordinal=0, revision=1, key="de", asked_by="ann")
    with transaction(world.engine) as session:
        job_id = ask_for(session, asked).job.id
    world.as_owner("UPDATE explanation_jobs SET state = 'announced' WHERE id = :id", id=job_id)
    with transaction(world.engine) as session:
        job = claim_job(session, job_id, "w", 60)
    assert job is not None
    world.erase(batch_id, 0)
    with refusal("item_erased"), transaction(world.engine) as session:
        finish_job(session, job, actor="w")
    with pytest.raises(FencedError), transaction(world.engine) as session:
        put_back_job(session, job, charge=True, delay_seconds=1, message=WORDS)
    with pytest.raises(FencedError), transaction(world.engine) as session:
        fail_job(session, job, RejectedError("c", WORDS), actor="w")
    with refusal("item_erased"), transaction(world.engine) as session:
        ask_for(session, asked)


def statement_of(world: RetentionWorld, session: Session, batch_id: UUID) -> UUID:
    decision = current_decision(session, batch_id, 0)
    assert decision is not None
    reasons = Reasons.model_validate({**REASONS, "decision_facts": WORDS})
    return draft_statement(session, world.tenant, decision.id, reasons, actor="ann").id


def decide(world: RetentionWorld, session: Session, batch_id: UUID) -> None:
    before = current_decision(session, batch_id, 0)
    wanted = Override(verdict=Verdict.GENERATED, action=Action.LABEL, reason=WORDS, supersedes=before.id if before else None)
    override(session, world.tenant, (batch_id, 0), wanted, lead="lea")


def answer(world: RetentionWorld, session: Session, batch_id: UUID) -> None:
    claim = claim_task(session, ann(world), DEFAULT_QUEUE)
    assert claim is not None
    said = Answer(verdict=ReviewVerdict.GENERATED, action=Action.LABEL, note=f"{WORDS} in {batch_id}", judgements=())
    submit_review(session, ann(world), claim.task_id, claim.token, said, version=claim.version)


@pytest.mark.parametrize("write", [decide, answer, statement_of])
def test_who_writes_about_the_image_at_that_moment_leaves_no_words_behind(
    world: RetentionWorld, write: Callable[[RetentionWorld, Session, UUID], object]
) -> None:
    batch_id = world.judged({0: pixels()}, FLAGGED)
    if write is statement_of:
        with transaction(world.engine) as session:
            decide(world, session, batch_id)
    with ThreadPoolExecutor(1) as pool:
        with transaction(world.engine) as session:
            write(world, session, batch_id)
            erased = pool.submit(world.erase, batch_id, 0)
            with pytest.raises(TimeoutError):
                erased.result(timeout=0.5)
        erased.result(timeout=30)
    assert WORDS not in leftovers(world, batch_id, 0)


def test_an_appeal_that_comes_at_that_moment_is_decided_first(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()}, FLAGGED)
    review(world)
    with ThreadPoolExecutor(1) as pool:
        with transaction(world.engine) as session:
            decision = current_decision(session, batch_id, 0)
            assert decision is not None
            open_appeal(session, world.tenant, NewAppeal(decision_id=decision.id, statement=WORDS), actor="app")
            erased = pool.submit(world.erase, batch_id, 0)
            with pytest.raises(TimeoutError):
                erased.result(timeout=0.5)
        with refusal("item_contested"):
            erased.result(timeout=30)


@pytest.mark.parametrize("end", ["busy", "refused", "not there", "withdrawn"])
def test_a_statement_that_is_on_its_way_meanwhile_ends_without_its_words_unless_it_was_taken(world: RetentionWorld, end: str) -> None:
    batch_id = world.judged({0: pixels()}, FLAGGED)
    with transaction(world.engine) as session:
        decide(world, session, batch_id)
        statement = statement_of(world, session, batch_id)
        sign_statement(session, statement, tenant_id=world.tenant, signed_by="ann", hold=timedelta(), actor="ann")
    with transaction(world.engine) as session:
        (leased,) = lease_due(session, limit=1, seconds=60)
    world.erase(batch_id, 0)
    assert WORDS in leftovers(world, batch_id, 0), "it may have been sent"
    with transaction(world.engine) as session:
        if end == "refused":
            assert record_refused(session, leased, code="http_422", detail=json.dumps({"decision_facts": [WORDS]}))
        else:
            put_off(session, leased, code="http_429", seconds=0.0, uncertain=end == "not there")
    with transaction(world.engine) as session:
        if end == "withdrawn":
            withdraw_statement(session, statement, tenant_id=world.tenant, actor="ann")
        assert withdraw_moot(session) == (1 if end == "busy" else 0)
        for again in lease_due(session, limit=1, seconds=60):
            assert again.moot == "item_erased"
            assert record_withdrawn(session, again)
    told = world.world.rows("SELECT state, receiver_code, receiver_detail FROM statements_of_reasons WHERE id = :id", id=statement)[0]
    code = {"refused": "http_422", "withdrawn": "http_429"}.get(end, "item_erased")
    assert tuple(told) == ("refused" if end == "refused" else "withdrawn", code, None)
    assert WORDS not in leftovers(world, batch_id, 0)


def test_no_statement_is_drafted_about_an_erased_image(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()}, FLAGGED)
    with transaction(world.engine) as session:
        decide(world, session, batch_id)
        statement = statement_of(world, session, batch_id)
    world.erase(batch_id, 0)
    with transaction(world.engine) as session:
        with refusal("statement_state"):
            sign_statement(session, statement, tenant_id=world.tenant, signed_by="ann", hold=timedelta(), actor="ann")
        with refusal("item_erased"):
            statement_of(world, session, batch_id)


def test_the_tombstone_of_another_tenants_item_cannot_be_made(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()})
    with refusal("item_missing"):
        world.erase(batch_id, 0, tenant="elsewhere")
    assert World(world.engine).value("SELECT count(*) FROM erasures WHERE batch_id = :id", id=batch_id) == 0
