"""`zoomin dataset from-reviews` as a user runs it: judged through the store, exported, and read again by the lab's own reader."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image
from sqlalchemy import Engine

from tests.integration.queue_world import RELEASE, World, verdict
from tests.unit.cli.invoke import Ended, zoomin
from worker.intake.inline import submit_references
from worker.intake.storage import Storage
from worker.intake.submission import Submission
from worker.lab.dataset.reviewed import UNKNOWN_GENERATOR
from worker.lab.dataset.selection import Split, split_of
from worker.lab.evaluation.picture_set import open_set
from worker.lab.labels import Label, check_labels, read_labels
from worker.local.addresses import environment
from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import ItemReference, SourceFacts, Verdict
from worker.moderation.policy import Action
from worker.moderation.review import DEFAULT_QUEUE, DecisionBasis, JudgementKind, RegionJudgement, ReviewVerdict
from worker.moderation.settings import Settings
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.decisions import NewDecision, current_decision, decide
from worker.store.erasures import Erasing, erase_item
from worker.store.legal_holds import place_hold
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.overrides import Override, override
from worker.store.review_answers import Answer
from worker.store.review_claims import claim_task
from worker.store.review_tasks import Claimant
from worker.store.reviewed_pictures import Wanted, stream_reviewed
from worker.store.reviews import submit_review
from worker.store.session import transaction

SIZE = Size(64, 48)
MODEL_BOX = Box(1, 2, 30, 40)  # of `verdict`
ACCEPT = RegionJudgement(kind=JudgementKind.ACCEPT, position=1)
REJECT = RegionJudgement(kind=JudgementKind.REJECT, position=1)
MOVE = RegionJudgement(kind=JudgementKind.MOVE, position=1, box=Box(5, 6, 35, 44))
ADD = RegionJudgement(kind=JudgementKind.ADD, box=Box(40, 10, 60, 20))


class Studio:
    """A tenant whose pictures are in the store, were judged, and are reviewed."""

    def __init__(self, settings: Settings, engine: Engine, storage: Storage) -> None:
        self.settings, self.storage, self.world = settings, storage, World(engine)
        self.tenant = f"studio-{uuid4().hex[:8]}"

    def judged(self, *bodies: bytes, p: float = 0.6) -> UUID:
        """A batch of pictures that a worker has judged; 0.6 goes to review."""
        prefix = f"from-reviews/{uuid4().hex}/"
        rows = [{"source-ref": f"s3://{self.settings.upload_bucket}/{prefix}{ordinal}"} for ordinal in range(len(bodies))]
        submission = Submission(tenant=self.tenant, idempotency_key=prefix, digest="", priority=0, actor="test")
        batch_id = submit_references(rows, submission, self.settings, self.world.engine).batch.id
        chunk = self.world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
        outcomes = []
        for ordinal, body in enumerate(bodies):
            self.storage.put(self.settings.upload_bucket, f"{prefix}{ordinal}", body, "image/png")
            facts = SourceFacts(sha256=hashlib.sha256(body).hexdigest(), media_type="image/png", size=SIZE)
            outcomes.append(replace(verdict(ItemReference(batch_id, ordinal, "n", "b", "k"), p), source=facts))
        with transaction(self.world.engine) as session:
            place = Place(batch_id=batch_id, revision=1, chunk_id=chunk)
            insert_outcomes(session, place, outcomes, Judgement(actor="worker", release=RELEASE, evidence_bucket="b"))
        return batch_id

    def key(self, batch_id: UUID, ordinal: int) -> str:
        return str(self.world.value("SELECT key FROM items WHERE batch_id = :id AND ordinal = :o", id=batch_id, o=ordinal))

    def answer(self, name: str, said: ReviewVerdict, *judgements: RegionJudgement, lead: bool = False) -> None:
        """The next task in line, answered."""
        who = Claimant(tenant_id=self.tenant, reviewer=name, lead=lead)
        with transaction(self.world.engine) as session:
            claim = claim_task(session, who, DEFAULT_QUEUE)
            assert claim is not None
            given = Answer(verdict=said, action=Action.LABEL, note="six fingers", judgements=judgements)
            submit_review(session, who, claim.task_id, claim.token, given, version=claim.version)

    def slots(self, number: int) -> None:
        self.world.rows("UPDATE review_queues SET slots = :slots WHERE tenant_id = :tenant", slots=number, tenant=self.tenant)

    def export(self, out: Path, *arguments: str) -> Ended:
        variables = {name: value for name, value in environment(self.settings).items() if name != "ZOOMIN_HOME"}
        return zoomin(
            "dataset", "from-reviews", str(out), *arguments, home=out.parent, settings={**variables, "ZOOMIN_TENANT": self.tenant}
        )


@pytest.fixture
def studio(settings: Settings, engine: Engine, storage: Storage) -> Iterator[Studio]:
    studio = Studio(settings, engine, storage)
    studio.world.batch(1, tenant=studio.tenant)  # the tenant, with its queues
    yield studio
    studio.world.retire()


def picture(shade: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (SIZE.width, SIZE.height), (shade, 2 * shade % 256, 30)).save(out, "png")
    return out.getvalue()


def exported(studio: Studio, out: Path, *arguments: str) -> Any:
    ended = studio.export(out, "--json", *arguments)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def lines(out: Path) -> list[Any]:
    return [json.loads(line) for split in Split for line in (out / split / "labels.jsonl").read_text().splitlines()]


def labels(out: Path) -> list[Label]:
    """As the lab reads them, each beside its picture."""
    read: list[Label] = []
    for split in Split:
        file = out / split / "labels.jsonl"
        if file.read_bytes():
            found = read_labels(file)
            check_labels(found, out / split)
            read += found
    return read


def rejections(out: Path) -> dict[str, int]:
    codes = [json.loads(line)["code"] for line in (out / "rejected.jsonl").read_text().splitlines()]
    return {code: codes.count(code) for code in sorted(set(codes))}


def by_itself(studio: Studio, batch_id: UUID, ordinal: int) -> NewDecision:
    """What a policy's opt-in decides."""
    return NewDecision(
        tenant_id=studio.tenant,
        batch_id=batch_id,
        ordinal=ordinal,
        revision=1,
        basis=DecisionBasis.AUTOMATIC,
        verdict=Verdict.GENERATED,
        action=Action.LABEL,
        decided_by="policy:default",
        reason="flagged",
    )


def test_judgements_become_labels_that_the_lab_reads(studio: Studio, tmp_path: Path) -> None:
    bodies = [picture(shade) for shade in (10, 20, 30, 40)]
    studio.judged(*bodies)
    studio.answer("ann", ReviewVerdict.GENERATED, ACCEPT, ADD)
    studio.answer("bob", ReviewVerdict.GENERATED, MOVE)
    studio.answer("ann", ReviewVerdict.GENERATED)
    studio.answer("ann", ReviewVerdict.REAL, REJECT)
    out = tmp_path / "out"
    counts = exported(studio, out)
    assert (counts["decisions"], counts["pictures"], counts["reviewers"], counts["rejected"]) == (4, 4, 2, {})
    assert counts["by_label"] == {"generated": 3, "real": 1}
    assert counts["boxes"] == {"right": 3, "wrong": 1, "unjudged": 1}

    names = [hashlib.sha256(body).hexdigest() for body in bodies]
    read = {label.source: label for label in labels(out)}
    assert [read[name].regions for name in names] == [(MODEL_BOX, ADD.box), (MOVE.box,), (), ()]
    assert [read[name].generator for name in names] == [UNKNOWN_GENERATOR] * 3 + [None]
    assert [(out / split_of(name) / read[name].file).read_bytes() for name in names] == bodies

    written = {line["source"]: line for line in lines(out)}
    assert written[names[3]]["rejected"] == [list(MODEL_BOX.corners())]
    assert written[names[2]]["unjudged"] == [list(MODEL_BOX.corners())]
    assert {review["reviewer"] for line in written.values() for review in line["reviews"]} == {"reviewer-1", "reviewer-2"}
    assert "ann" not in json.dumps(list(written.values()))
    decided = studio.world.rows("SELECT id, task_id FROM decisions WHERE tenant_id = :t ORDER BY id LIMIT 1", t=studio.tenant)[0]
    first = written[names[0]]
    assert (first["decision"], first["release"], first["policy"]) == (str(decided.id), RELEASE.id, "default@1")
    assert first["reviews"][0]["task"] == decided.task_id


def test_evaluate_opens_what_was_exported(studio: Studio, tmp_path: Path) -> None:
    studio.judged(*(picture(shade) for shade in range(1, 13)))
    for number in range(12):
        studio.answer("ann", ReviewVerdict.GENERATED if number % 2 else ReviewVerdict.REAL)
    exported(studio, tmp_path / "out")
    sets = [open_set(tmp_path / "out" / split, tmp_path / "out" / split / "labels.jsonl") for split in Split]
    assert sum(len(found.labels) for found in sets) == 12
    assert not any(found.unlabelled for found in sets)
    assert all(split_of(label.source) is split for split, found in zip(Split, sets, strict=True) for label in found.labels)


def test_reviewers_who_differ_about_a_box_are_resolved_or_left_out(studio: Studio, tmp_path: Path) -> None:
    studio.slots(3)
    studio.judged(picture(1))
    for name, judgement in {"ann": ACCEPT, "bob": REJECT, "cyd": ACCEPT}.items():
        studio.answer(name, ReviewVerdict.GENERATED, judgement)
    studio.slots(2)
    studio.judged(picture(2))
    for name, judgement in {"ann": ACCEPT, "bob": REJECT}.items():
        studio.answer(name, ReviewVerdict.GENERATED, judgement)
    counts = exported(studio, tmp_path / "out")
    assert (counts["pictures"], counts["rejected"]) == (1, {"boxes_disputed": 1})
    assert [label.regions for label in labels(tmp_path / "out")] == [(MODEL_BOX,)]


def test_who_was_overruled_in_the_verdict_is_not_asked_about_boxes(studio: Studio, tmp_path: Path) -> None:
    studio.slots(2)
    studio.judged(picture(1))
    studio.answer("ann", ReviewVerdict.REAL, REJECT)
    studio.answer("bob", ReviewVerdict.GENERATED, ACCEPT)
    studio.answer("lee", ReviewVerdict.GENERATED, lead=True)
    exported(studio, tmp_path / "out")
    (label,) = labels(tmp_path / "out")
    assert (label.label, label.regions) == (Verdict.GENERATED, (MODEL_BOX,))
    (line,) = lines(tmp_path / "out")
    assert len(line["reviews"]) == 2


def test_what_cannot_be_used_is_written_down_with_its_reason(studio: Studio, tmp_path: Path) -> None:
    batch = studio.judged(*(picture(shade) for shade in range(1, 9)))
    for _ in range(7):  # the last one waits
        studio.answer("ann", ReviewVerdict.GENERATED, ACCEPT)
    bucket = studio.settings.upload_bucket
    studio.storage.put(bucket, studio.key(batch, 0), picture(99), "image/png")
    studio.storage.remove(bucket, [studio.key(batch, 1)])
    with transaction(studio.world.engine) as session:
        erase_item(session, studio.tenant, batch, 2, Erasing("test", "test", bucket))
        place_hold(session, studio.tenant, batch, 3, reason="a court asked", actor="test")
        contested = current_decision(session, batch, 4)
        assert contested is not None
        open_appeal(session, studio.tenant, NewAppeal(decision_id=contested.id, statement="It is a photograph."), actor="key:p")
        decide(session, by_itself(studio, batch, 7))
    studio.world.rows(
        "INSERT INTO golden_items (batch_id, ordinal, tenant_id, revision, verdict, added_by) VALUES (:id, 5, :t, 1, 'generated', 'lee')",
        id=batch,
        t=studio.tenant,
    )
    counts = exported(studio, tmp_path / "out")
    assert counts["rejected"] == {
        "decided_automatically": 1,
        "decision_contested": 1,
        "item_erased": 1,
        "item_held": 1,
        "object_changed": 1,
        "object_missing": 1,
        "picture_golden": 1,
    }
    assert rejections(tmp_path / "out") == counts["rejected"]
    assert len(labels(tmp_path / "out")) == 1
    assert len(list((tmp_path / "out").glob("*/images/*"))) == 1


def test_a_copy_of_a_golden_picture_s_bytes_is_no_training_data(studio: Studio, tmp_path: Path) -> None:
    golden, _ = studio.judged(picture(1)), studio.judged(picture(1), picture(2))
    for _ in range(3):
        studio.answer("ann", ReviewVerdict.GENERATED, ACCEPT)
    studio.world.rows(
        "INSERT INTO golden_items (batch_id, ordinal, tenant_id, revision, verdict, added_by) VALUES (:id, 0, :t, 1, 'generated', 'lee')",
        id=golden,
        t=studio.tenant,
    )
    counts = exported(studio, tmp_path / "out")
    assert (counts["pictures"], counts["rejected"]) == (1, {"picture_golden": 2})


def test_one_picture_is_taken_once_and_not_at_all_when_it_was_decided_differently(studio: Studio, tmp_path: Path) -> None:
    same, twice = picture(1), picture(2)
    studio.judged(same, same, twice, twice)
    for said in (ReviewVerdict.GENERATED, ReviewVerdict.GENERATED, ReviewVerdict.GENERATED, ReviewVerdict.REAL):
        studio.answer("ann", said)
    counts = exported(studio, tmp_path / "out")
    assert (counts["pictures"], counts["rejected"]) == (1, {"decisions_differ": 2, "picture_repeated": 1})


def test_options_choose_and_one_persons_word_may_be_too_little(studio: Studio, tmp_path: Path) -> None:
    batch = studio.judged(picture(1), picture(2))
    studio.answer("ann", ReviewVerdict.GENERATED)
    with transaction(studio.world.engine) as session:
        other = Override(verdict=Verdict.REAL, action=Action.NONE, reason="seen the negative", supersedes=None)
        override(session, studio.tenant, (batch, 1), other, lead="lee")
    wanted = [
        Wanted(tenant_id=studio.tenant),
        Wanted(tenant_id=studio.tenant, policy="default", queue=DEFAULT_QUEUE),
        Wanted(tenant_id=studio.tenant, policy="default@9"),
        Wanted(tenant_id=studio.tenant, queue="appeals"),
        Wanted(tenant_id=studio.tenant, since=datetime(2999, 1, 1, tzinfo=UTC)),
        Wanted(tenant_id="nobody"),
    ]
    assert [len(list(stream_reviewed(studio.world.engine, each))) for each in wanted] == [2, 2, 0, 0, 0, 0]
    arguments = ("--queue", DEFAULT_QUEUE, "--policy", "default@1", "--since", "2020-01-01", "--tenant", studio.tenant)
    assert exported(studio, tmp_path / "all", *arguments)["pictures"] == 2
    assert exported(studio, tmp_path / "pairs", "--min-reviewers", "2")["rejected"] == {"reviewers_too_few": 2}
    again = studio.export(tmp_path / "all", "--min-reviewers", "2")
    assert again.code != 0
    assert "out_of_another_build" in again.err


def test_the_same_command_goes_on_and_forgets_what_was_erased(studio: Studio, tmp_path: Path) -> None:
    batch = studio.judged(picture(1), picture(2), picture(3))
    for _ in range(3):
        studio.answer("ann", ReviewVerdict.GENERATED, ACCEPT)
    out = tmp_path / "out"
    exported(studio, out)
    (kept,) = (path for path in out.glob("*/images/*") if path.stem == hashlib.sha256(picture(1)).hexdigest())
    before = kept.stat().st_mtime_ns
    studio.storage.remove(studio.settings.upload_bucket, [studio.key(batch, 0)])  # is not asked for again
    with transaction(studio.world.engine) as session:
        erase_item(session, studio.tenant, batch, 1, Erasing("test", "test", studio.settings.upload_bucket))
    assert exported(studio, out)["pictures"] == 2
    assert kept.stat().st_mtime_ns == before
    assert hashlib.sha256(picture(2)).hexdigest() not in {path.stem for path in out.glob("*/images/*")}


def test_taking_data_out_is_audited_without_names(studio: Studio, tmp_path: Path) -> None:
    studio.judged(picture(1))
    studio.answer("ann", ReviewVerdict.GENERATED)
    exported(studio, tmp_path / "out", "--queue", DEFAULT_QUEUE)
    (event,) = studio.world.rows("SELECT * FROM audit_events WHERE tenant_id = :t AND action = 'reviews.exported'", t=studio.tenant)
    assert event.detail == {"format": "dataset", "decisions": 1, "queue": DEFAULT_QUEUE, "policy": None, "since": None}


def test_people_are_told_what_came_of_it(studio: Studio, tmp_path: Path) -> None:
    studio.judged(picture(1), picture(1))
    for _ in range(2):
        studio.answer("ann", ReviewVerdict.GENERATED, ACCEPT)
    ended = studio.export(tmp_path / "out")
    assert ended.code == 0, ended.err
    assert "1 of 2 decisions are in" in ended.out
    assert "Boxes: 1 right, 0 wrong, 0 that nobody judged" in ended.out
    assert "Left out: 1 picture_repeated" in ended.err
    assert "1 pictures of 2 decisions, by 1 reviewers" in (tmp_path / "out" / "card.md").read_text()
