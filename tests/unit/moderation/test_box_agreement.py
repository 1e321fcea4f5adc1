"""The rule by which several people's judgements of boxes become one picture's boxes."""

import pytest

from worker.moderation.box_agreement import AgreedBoxes, agree_on_boxes
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.review import JudgementKind, RegionJudgement

MODEL = {1: Box(0, 0, 100, 100), 2: Box(200, 200, 300, 300)}
ACCEPT, REJECT = (RegionJudgement(kind=kind, position=1) for kind in (JudgementKind.ACCEPT, JudgementKind.REJECT))


def move(*corners: float) -> RegionJudgement:
    return RegionJudgement(kind=JudgementKind.MOVE, position=1, box=Box(*corners))


def add(*corners: float) -> RegionJudgement:
    return RegionJudgement(kind=JudgementKind.ADD, box=Box(*corners))


def agreed(*answers: tuple[RegionJudgement, ...]) -> AgreedBoxes:
    return agree_on_boxes(MODEL, answers)


def test_accepted_and_rejected_boxes_are_the_models_own_and_what_nobody_judged_is_told_apart() -> None:
    assert agreed((ACCEPT,)) == AgreedBoxes(right=(MODEL[1],), wrong=(), unjudged=(MODEL[2],))
    assert agreed((REJECT,)) == AgreedBoxes(right=(), wrong=(MODEL[1],), unjudged=(MODEL[2],))
    assert agreed() == AgreedBoxes(right=(), wrong=(), unjudged=tuple(MODEL.values()))


def test_a_moved_box_is_where_it_was_moved_to_and_an_added_one_comes_behind_the_models() -> None:
    assert agreed((move(10, 10, 110, 110), add(500, 500, 600, 600))).right == (Box(10, 10, 110, 110), Box(500, 500, 600, 600))


def test_more_than_half_of_those_who_judged_a_box_decide_and_the_silent_do_not_count() -> None:
    assert agreed((ACCEPT,), (REJECT,), (ACCEPT,)).right == (MODEL[1],)
    assert agreed((REJECT,), (REJECT,), (ACCEPT,)).wrong == (MODEL[1],)
    assert agreed((ACCEPT,), (), ()).right == (MODEL[1],)


def test_each_side_is_the_median_of_those_named() -> None:
    assert agreed((ACCEPT,), (move(10, 20, 120, 130),), (move(20, 10, 110, 140),)).right == (Box(10, 10, 110, 130),)
    assert agreed((ACCEPT,), (move(11, 0, 100, 100),)).right == (Box(5.5, 0, 100, 100),)


def test_an_even_split_is_a_dispute() -> None:
    with pytest.raises(RejectedError, match="Box 1 is right to 1 of 2") as refusal:
        agreed((ACCEPT,), (REJECT,))
    assert refusal.value.code == "boxes_disputed"
    with pytest.raises(RejectedError, match="added by 1 of 2"):
        agreed((ACCEPT, add(500, 500, 600, 600)), (ACCEPT,))


def test_one_box_in_two_places_is_a_dispute() -> None:
    with pytest.raises(RejectedError, match="placed differently by 2"):
        agreed((ACCEPT,), (move(80, 80, 180, 180),))


def test_boxes_added_at_about_one_place_are_one_box() -> None:
    here, near, elsewhere = (500, 500, 600, 600), (510, 500, 610, 600), (700, 700, 800, 800)
    assert agreed((add(*here),), (add(*near),)).right == (Box(505, 500, 605, 600),)
    assert agreed((add(*here),), (add(*near),), (add(*here), add(*elsewhere))).right == (Box(500, 500, 600, 600),)


def test_one_reviewer_cannot_outvote_another_by_adding_a_box_twice() -> None:
    with pytest.raises(RejectedError, match="added by 1 of 2"):
        agreed((add(500, 500, 600, 600), add(501, 500, 601, 600)), (ACCEPT,))
