"""`zoomin attend ITEM`: a recorded verdict explained from its trace and its evidence, and what there is nothing to explain from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from tests.integration.retention_world import RetentionWorld
from tests.unit.forensics.nano_verdict import judged, release, said_by_nano
from worker.cli.app import app
from worker.cli.attending import find_recorded
from worker.cli.services import Services
from worker.intake.storage import Storage
from worker.local.addresses import environment
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Outcome, SourceFacts, Stage
from worker.moderation.settings import Settings
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.releases import ensure_release
from worker.store.session import transaction

NO_REVISION = None


@dataclass(frozen=True)
class Recorded:
    """One judged item, whose original lies in the bucket under a key of its own."""

    world: RetentionWorld
    batch_id: UUID
    outcome: Outcome

    @classmethod
    def of(cls, world: RetentionWorld, *, etag: str = "e") -> "Recorded":
        batch_id = world.world.batch(1, tenant=world.tenant)
        said, evidence = judged()
        scores = {stage.stage: stage.p_generated for stage in said_by_nano().stages}
        assert said.source is not None
        source: SourceFacts = replace(said.source, etag=etag)
        outcome = replace(
            said,
            ordinal=0,
            release_id=release().id,
            scan_p_generated=scores[Stage.SCAN],
            p_generated_raw=scores[Stage.ZOOM],
            p_generated=scores[Stage.ZOOM],
            source=source,
        )
        for facts in outcome.evidence:
            world.storage.put(world.bucket, facts.key, evidence[facts.sha256], facts.media_type)
        with transaction(world.engine) as session:
            ensure_release(session, release())
            chunk = world.world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
            place = Place(batch_id=batch_id, revision=1, chunk_id=chunk)
            insert_outcomes(session, place, [outcome], Judgement(actor="w", release=release(), evidence_bucket=world.bucket))
        return cls(world, batch_id, outcome)

    def refusal(self, tenant: str | None = None) -> str:
        settings = self.world.settings.model_copy(update={"tenant": tenant or self.world.tenant})
        with pytest.raises(RejectedError) as refused:
            find_recorded(Services(settings), self.batch_id, 0, NO_REVISION)
        return refused.value.code


def typed(*arguments: str, settings: Mapping[str, str]) -> Result:
    """In this process: PyTorch is loaded once for all tests."""
    return CliRunner().invoke(app, list(arguments), env=dict(settings))


@pytest.fixture
def world(engine: Engine, storage: Storage, settings: Settings) -> RetentionWorld:
    return RetentionWorld.apart(engine, storage, settings)


def test_an_item_is_drawn_and_asked_again_comes_from_the_folder(world: RetentionWorld, tmp_path: Path) -> None:
    recorded = Recorded.of(world)
    settings = environment(world.settings.model_copy(update={"tenant": world.tenant})) | {"ZOOMIN_MODEL": "nano"}

    def attend() -> dict[str, object]:
        ended = typed("attend", item_id(recorded.batch_id, 0), "--out", str(tmp_path), "--json", settings=settings)
        assert ended.exit_code == 0, ended.stderr
        answer: dict[str, object] = json.loads(ended.stdout)
        return answer

    first, second = attend(), attend()
    assert (first["cached"], second["cached"]) == (False, True)
    assert {**first, "cached": True} == second
    assert isinstance(first["logprob_gap"], float)
    assert first["logprob_gap"] < 0.05
    assert first["release"] == release().id
    assert isinstance(first["files"], list)
    assert all(Path(file).is_file() for file in first["files"])
    looks = world.world.value("SELECT count(*) FROM audit_events WHERE batch_id = :id AND action = 'images.read'", id=recorded.batch_id)
    assert looks == 2


def test_what_there_is_nothing_to_explain_from_is_told_apart(world: RetentionWorld) -> None:
    assert Recorded.of(world).refusal(tenant="another") == "item_missing"
    purged = Recorded.of(world)
    world.as_owner("DELETE FROM traces WHERE batch_id = :id", id=purged.batch_id)
    assert purged.refusal() == "trace_purged"
    erased = Recorded.of(world)
    world.erase(erased.batch_id, 0)
    assert erased.refusal() == "item_erased"


def test_pixels_that_retention_removed_are_missed_before_any_model_loads(world: RetentionWorld) -> None:
    recorded = Recorded.of(world)
    world.as_owner("UPDATE evidence SET removed_at = now() WHERE sha256 = :sha", sha=recorded.outcome.sent_sha256)
    assert recorded.refusal() == "evidence_purged"
    world.as_owner("UPDATE evidence SET removed_at = NULL WHERE sha256 = :sha", sha=recorded.outcome.sent_sha256)


def test_an_original_that_is_another_image_now_is_refused(world: RetentionWorld) -> None:
    recorded = Recorded.of(world, etag="of-another-image")
    key = f"attend/{recorded.batch_id}"
    world.storage.put(world.bucket, key, b"changed", "image/png")
    world.as_owner("UPDATE items SET bucket = :bucket, key = :key WHERE batch_id = :id", bucket=world.bucket, key=key, id=recorded.batch_id)
    assert recorded.refusal() == "object_changed"


def test_a_picture_that_is_not_there_and_an_id_that_is_none_end_in_words(tmp_path: Path, settings: Settings) -> None:
    out = ("--out", str(tmp_path))
    for target, code in ((str(tmp_path / "none.jpg"), "picture_unreadable"), ("item_7", "item_id_malformed")):
        ended = typed("attend", target, *out, settings=environment(settings))
        assert (ended.exit_code, code in ended.stderr) == (2, True), ended.stderr
    ended = typed("attend", "x.jpg", *out, settings={"ZOOMIN_MODEL": "openai:qwen2.5-vl@http://h/v1"})
    assert (ended.exit_code, "attention_needs_weights" in ended.stderr) == (2, True), ended.stderr
