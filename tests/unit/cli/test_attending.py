from pathlib import Path

import pytest

from tests.unit.zoomin.world import SCAN, ZOOM, picture, said
from worker.cli import attending
from worker.cli.attending import judge_picture
from worker.images.pool import DecodePool
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Stage, Verdict
from worker.moderation.settings import Settings
from worker.queue.async_moderator import EventLoopThread, LoadedModel
from worker.vision.conversation import images
from worker.vision.model import Answer, Question
from worker.vision.scripted import SCRIPTED_CARD, ScriptedVision
from worker.zoomin.prompts import load_prompts


def answer(question: Question) -> Answer:
    return said(SCAN if len(images(question.turns)) == 1 else ZOOM)


@pytest.fixture
def _scripted_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: Settings) -> LoadedModel:
        return LoadedModel(
            loop=EventLoopThread(), vision=ScriptedVision(answer, SCRIPTED_CARD), prompts=load_prompts(), decoder=DecodePool(1)
        )

    monkeypatch.setattr(attending, "load_model", load)


@pytest.mark.usefixtures("_scripted_engine")
def test_a_local_picture_is_judged_by_the_deployed_path_with_all_that_a_map_needs(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    recorded = judge_picture(Settings(home=tmp_path), tmp_path / "a.png")
    assert recorded.verdict is Verdict.GENERATED
    assert [stage.stage for stage in recorded.stages] == [Stage.SCAN, Stage.ZOOM]
    assert [len(stage.images) for stage in recorded.stages] == [1, 3]
    assert recorded.release.name == SCRIPTED_CARD.name


@pytest.mark.usefixtures("_scripted_engine")
def test_a_file_that_is_no_picture_has_no_verdict_to_explain(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(RejectedError) as refused:
        judge_picture(Settings(home=tmp_path), tmp_path / "a.png")
    assert refused.value.code == "outcome_without_verdict"
