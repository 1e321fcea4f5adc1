"""People check a share of what models annotated: given to them, judged through the store, read back with intervals, written as fixes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from tests.integration.queue_world import World
from tests.integration.scripted_models import EXPLAINER, GROUNDER, ScriptedModels, serving
from tests.unit.cli.invoke import Ended
from tests.unit.lab.annotating import draw
from worker.cli import dataset_checked
from worker.cli.app import app
from worker.cli.services import Services
from worker.intake.reference import AllowedSources, check_prefix
from worker.intake.storage import Storage
from worker.lab.annotation.lines import read_lines
from worker.lab.annotation.sampling import Asking, Sample, ask_people
from worker.lab.labels import check_labels, read_labels
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import JudgementKind, RegionJudgement, ReviewVerdict
from worker.moderation.settings import Settings
from worker.retention.run import remove_let_go
from worker.store.announcements import announce
from worker.store.erasures import Erasing, erase_item
from worker.store.items import item_regions
from worker.store.policies import create_policy
from worker.store.review_answers import Answer
from worker.store.review_claims import claim_task
from worker.store.review_tasks import Claimant, find_task
from worker.store.reviews import submit_review
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

QUEUE = "annotation"


def accept(position: int) -> RegionJudgement:
    return RegionJudgement(kind=JudgementKind.ACCEPT, position=position)


def reject(position: int) -> RegionJudgement:
    return RegionJudgement(kind=JudgementKind.REJECT, position=position)


class Atelier:
    """A tenant with annotated pictures, and reviewers."""

    def __init__(self, settings: Settings, engine: Engine, storage: Storage, out: Path) -> None:
        self.settings, self.world, self.storage, self.out = settings, World(engine), storage, out
        self.tenant = f"atelier-{uuid4().hex[:8]}"

    def run(self, command: str, *arguments: str) -> Ended:
        """In this process, which has imported everything, with the module's services."""
        services = Services(self.settings.model_copy(update={"tenant": self.tenant}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dataset_checked, "locate_services", lambda: services)
            ended = CliRunner().invoke(app, ["dataset", command, str(self.out), *arguments])
        services.engine.dispose()
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def sample(self, share: float) -> Sample:
        """What the command does with its services."""
        asking = Asking(tenant=self.tenant, queue=QUEUE, share=share, actor="cli:test")
        return ask_people(self.out, asking, self.storage, self.world.engine, self.settings, lambda _: None)

    def answer(self, name: str, verdict: ReviewVerdict, *judgements: RegionJudgement) -> None:
        """The next task of the queue, answered."""
        who = Claimant(tenant_id=self.tenant, reviewer=name, lead=False)
        with transaction(self.world.engine) as session:
            claim = claim_task(session, who, QUEUE)
            assert claim is not None
            given = Answer(
                verdict=verdict, action=Action.LABEL if verdict is ReviewVerdict.GENERATED else Action.NONE, judgements=judgements
            )
            submit_review(session, who, claim.task_id, claim.token, given, version=claim.version)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in (self.out / "labels.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures, annotated by scripted models: two boxes each, a hand and a sign."""
    folder = tmp_path_factory.mktemp("annotated")
    draw(folder / "pictures", [f"{name}.png" for name in "abcd"], 224)
    with serving(ScriptedModels()) as url:
        at = ["--explainer", url, "--explainer-model", EXPLAINER, "--grounder", f"openai:{GROUNDER}@{url}"]
        where = [str(folder / "pictures"), "--out", str(folder / "out"), "--label", "generated"]
        ended = CliRunner().invoke(app, ["dataset", "annotate", *where, *at], env={"ZOOMIN_HOME": str(folder)})
    assert ended.exit_code == 0, ended.stderr
    return folder / "out"


@pytest.fixture
def atelier(settings: Settings, engine: Engine, storage: Storage, annotated: Path) -> Iterator[Atelier]:
    atelier = Atelier(settings, engine, storage, annotated)
    yield atelier
    (annotated / ".build" / "sample.json").unlink(missing_ok=True)
    atelier.world.retire()


def test_a_sample_waits_for_people_with_its_clues_and_is_left_alone_by_workers(atelier: Atelier, storage: Storage) -> None:
    asked = atelier.sample(0.5)
    assert (asked.queue, len(asked.pictures)) == (QUEUE, 2)
    batch = asked.batch
    (row,) = atelier.world.rows("SELECT state, verdicts, flagged FROM chunks WHERE batch_id = :id", id=batch)
    assert tuple(row) == ("done", 2, 0)
    who = Claimant(tenant_id=atelier.tenant, reviewer="ann", lead=False)
    with transaction(atelier.world.engine) as session:
        assert announce(session, 10, max_attempts=3) == []
        claim = claim_task(session, who, QUEUE)
        assert claim is not None
        task = find_task(session, claim.task_id, who)
        regions = item_regions(session, batch, task.ordinal, 1)
    assert [(region.reason, region.finding) for region in regions] == [
        ("left hand", "It has six fingers."),
        ("street sign", "The letters melt into each other."),
    ]
    for sha256 in (region.crop_sha256 for region in regions):
        assert sha256 is not None
        assert storage.exists(atelier.settings.evidence_bucket, f"{sha256[:2]}/{sha256}")
    release = atelier.world.rows(
        "SELECT DISTINCT r.name, r.training FROM outcomes AS o JOIN releases AS r ON r.id = o.release_id WHERE o.batch_id = :id", id=batch
    )
    assert [tuple(each) for each in release] == [("annotation", "zero_shot")]


def test_the_same_sample_is_asked_about_once(atelier: Atelier) -> None:
    first = atelier.sample(0.5)
    assert atelier.sample(0.5) == first
    (atelier.out / ".build" / "sample.json").unlink()  # as if killed before it was written
    assert atelier.sample(0.5) == first
    with pytest.raises(RejectedError) as error:
        atelier.sample(1.0)
    assert error.value.code == "sampled_otherwise"


def test_a_sampled_picture_is_nobody_elses_to_list_and_goes_with_its_erasure(atelier: Atelier, storage: Storage) -> None:
    asked = atelier.sample(0.5)
    rows = atelier.world.rows("SELECT bucket, key FROM items WHERE batch_id = :id ORDER BY ordinal", id=asked.batch)
    allowed, uploads = AllowedSources.of(atelier.settings), atelier.settings.upload_bucket
    for bucket, key in rows:
        top, place, *_ = key.split("/")
        assert (bucket, len(place)) == (uploads, 32)
        for prefix in ("", f"{top}/"):
            with pytest.raises(RejectedError, match="uploads of others"):
                check_prefix(bucket, prefix, allowed)
    with transaction(atelier.world.engine) as session:
        erase_item(session, atelier.tenant, asked.batch, 0, Erasing(actor="test", reason="requested", upload_bucket=uploads))
    remove_let_go(atelier.world.engine, storage, actor="test")
    assert [storage.exists(bucket, key) for bucket, key in rows] == [False, True]
    (atelier.out / ".build" / "sample.json").unlink()  # as if killed before it was written
    assert atelier.sample(0.5) == asked
    assert [storage.exists(bucket, key) for bucket, key in rows] == [False, True]


def test_a_queue_whose_policy_leads_elsewhere_is_not_taken(atelier: Atelier) -> None:
    with pytest.raises(RejectedError) as error:
        atelier.sample(0.0)
    assert error.value.code == "sample_empty"
    with transaction(atelier.world.engine) as session:
        ensure_tenant(session, atelier.tenant)
        create_policy(session, atelier.tenant, QUEUE, description="", actor="test")
    with pytest.raises(RejectedError) as error:
        atelier.sample(1.0)
    assert error.value.code == "policy_elsewhere"


def test_what_people_said_is_reported_with_intervals_and_fixes_the_labels(atelier: Atelier) -> None:
    asked = atelier.run("annotation-sample", "--share", "1", "--json")
    assert asked.code == 0, asked.err
    assert json.loads(asked.out)["pictures"] == 4
    before = {line["file"]: line for line in atelier.lines()}
    x0, y0, x1, y1 = next(iter(before.values()))["clues"][0]["box"]
    moved = Box(x0 + 4, y0, x1 + 4, y1)
    atelier.answer("ann", ReviewVerdict.GENERATED, accept(1), accept(2))
    atelier.answer("bob", ReviewVerdict.GENERATED, RegionJudgement(kind=JudgementKind.MOVE, position=1, box=moved), reject(2))
    atelier.answer("ann", ReviewVerdict.REAL, reject(1), reject(2))  # the label is wrong

    shown = atelier.run("annotation-agreement")
    assert shown.code == 0, shown.err
    assert "3 of 4 sampled pictures are decided, by 2 reviewers" in shown.out
    assert "label_disputed" in shown.err
    found = json.loads((atelier.out / "agreement.json").read_text())
    assert (found["sampled"], found["decided"], found["reviewers"]) == (4, 3, 2)
    assert found["boxes"]["accepted"]["value"] == pytest.approx(2 / 6)
    assert found["boxes"]["right"]["value"] == pytest.approx(3 / 6)
    low, high = found["boxes"]["right"]["interval"]
    assert 0 < low < 0.5 < high < 1
    assert set(found["by_artefact"]) == {"hand", "text"}
    assert found["by_artefact"]["text"]["rejected"] == 2
    assert found["moved_iou"]["value"] == pytest.approx((x1 - x0 - 4) / (x1 - x0 + 4), abs=0.02)
    assert found["labels_shared"]["value"] == pytest.approx(2 / 3)
    assert len(found["left_out"]) == 1

    labels = read_labels(atelier.out / "labels.jsonl")
    check_labels(labels, atelier.out)
    assert sorted(len(label.regions) for label in labels) == [1, 2, 2]  # moved and rejected; accepted; not decided
    people = [[clue["person"] for clue in line["clues"]] for line in atelier.lines() if line["reviewed"]]
    assert sorted(people) == [["accepted", "accepted"], ["moved", "rejected"]]
    (fixed,) = (label for label in labels if len(label.regions) == 1)
    assert fixed.regions == (moved,)
    assert all(label.label is Verdict.GENERATED for label in labels)

    audited = atelier.world.rows("SELECT count(*) FROM audit_events WHERE tenant_id = :t AND action = 'reviews.exported'", t=atelier.tenant)
    assert audited[0][0] == 1


def test_before_anybody_was_asked_there_is_nothing_to_report(annotated: Path, tmp_path: Path) -> None:
    early = CliRunner().invoke(app, ["dataset", "annotation-agreement", str(annotated)])
    assert (early.exit_code, "not_sampled" in early.stderr) == (2, True)
    with pytest.raises(RejectedError) as error:
        read_lines(tmp_path)
    assert error.value.code == "not_annotated"
