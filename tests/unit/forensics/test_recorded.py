from dataclasses import replace

import pytest

from tests.unit.forensics.nano_verdict import HEIGHT, WIDTH, judged, recorded, release
from worker.forensics.recorded import evidence_pixels, recorded_verdict
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import OutcomeKind, Stage
from worker.vision.conversation import images
from worker.zoomin.ask import conversation


def test_the_conversation_is_rebuilt_as_it_was_asked() -> None:
    outcome, _ = judged()
    verdict = recorded(outcome)
    for stage, trace in zip(verdict.stages, outcome.traces, strict=True):
        question = type("Asked", (), {"turns": stage.turns, "max_tokens": 1, "temperature": 0.0, "reply_schema": {}})
        assert conversation(question)["turns"] == trace.request["turns"]  # type: ignore[arg-type]
        assert [part.uuid for part in images(stage.turns)] == [image.sha256 for image in stage.images]
        assert stage.reply == trace.reply


def test_crops_show_their_part_of_the_original() -> None:
    outcome, _ = judged()
    whole, *crops = recorded(outcome).zoom.images
    assert whole.shows == Box(0, 0, WIDTH, HEIGHT)
    assert [crop.shows for crop in crops] == [region.crop_box for region in outcome.regions]


def test_of_two_attempts_the_one_that_was_read_is_explained() -> None:
    outcome, _ = judged()
    scan, zoom = outcome.traces
    retried = replace(outcome, traces=(replace(scan, reply="{"), replace(scan, attempt=2), zoom))
    assert recorded(retried).stages[0].reply == scan.reply


def test_a_scan_without_a_verdict_of_its_own_is_left_out() -> None:
    outcome, _ = judged()
    verdict = recorded(replace(outcome, scan_p_generated=None))
    assert [stage.stage for stage in verdict.stages] == [Stage.ZOOM]
    assert verdict.zoom is verdict.stages[0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": OutcomeKind.UNREADABLE, "verdict": None, "error_message": "Twice."}, "outcome_without_verdict"),
        ({"traces": ()}, "trace_purged"),
        ({"p_generated_raw": None}, "verdict_without_score"),
        ({"regions": ()}, "trace_inconsistent"),
    ],
)
def test_what_cannot_be_read_again_is_told_apart(change: dict[str, object], code: str) -> None:
    outcome, _ = judged()
    with pytest.raises(RejectedError) as refused:
        recorded(replace(outcome, **change))  # type: ignore[arg-type]
    assert refused.value.code == code


def test_evidence_that_is_no_longer_what_was_sent_is_refused() -> None:
    outcome, evidence = judged()
    sha256, other = sorted(evidence)[:2]
    with pytest.raises(RejectedError) as refused:
        evidence_pixels(evidence[other], sha256)
    assert refused.value.code == "evidence_changed"
    shrunk = evidence_pixels(evidence[outcome.sent_sha256 or ""], outcome.sent_sha256 or "").resize((28, 28))
    with pytest.raises(RejectedError) as refused:
        recorded_verdict(outcome, release(), lambda _: shrunk)
    assert refused.value.code == "evidence_changed"
