import pytest

from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.review import JudgementKind, RegionJudgement, ReviewVerdict, agreed_verdict

REAL, GENERATED, UNSURE = ReviewVerdict.REAL, ReviewVerdict.GENERATED, ReviewVerdict.UNSURE
BOX = Box(1, 2, 30, 40)


@pytest.mark.parametrize(
    ("verdicts", "agreed"),
    [
        ([REAL], Verdict.REAL),
        ([GENERATED, GENERATED], Verdict.GENERATED),
        ([GENERATED, REAL], None),
        ([UNSURE], None),
        ([UNSURE, UNSURE], None),
        ([GENERATED, GENERATED, UNSURE], None),
    ],
)
def test_reviewers_decide_when_all_say_the_same_and_are_sure(verdicts: list[ReviewVerdict], agreed: Verdict | None) -> None:
    assert agreed_verdict(verdicts) is agreed


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": JudgementKind.ACCEPT},
        {"kind": JudgementKind.ACCEPT, "position": 1, "box": BOX},
        {"kind": JudgementKind.MOVE, "position": 1},
        {"kind": JudgementKind.ADD, "position": 1, "box": BOX},
        {"kind": JudgementKind.ADD},
    ],
)
def test_a_judgement_has_a_box_exactly_when_it_places_one(fields: dict[str, object]) -> None:
    with pytest.raises(RejectedError, match="by its position"):
        RegionJudgement(**fields)  # type: ignore[arg-type]
    RegionJudgement(kind=JudgementKind.ADD, box=BOX)
    RegionJudgement(kind=JudgementKind.REJECT, position=2)
