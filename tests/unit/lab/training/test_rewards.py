import json

import pytest

from worker.lab.training.rewards import Part, bleu_2, mean_best_iou, reward_scan, reward_zoom
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.vision.model import ReplyLimits
from worker.vision.nano.wording import Grade, scan_reply, zoom_reply

LIMITS = ReplyLimits(proposed_regions=2)
TRUE = Box(0, 0, 100, 100)
REFERENCE = "Region 1 shows clear traces of redrawing."


@pytest.mark.parametrize(
    ("named", "iou"),
    [
        ([TRUE], 1.0),
        ([Box(200, 200, 300, 300)], 0.0),
        ([Box(100, 0, 200, 100)], 0.0),  # touching
        ([Box(25, 25, 75, 75)], 0.25),  # nested
        ([Box(75, 75, 25, 25)], 0.25),  # reversed corners
        ([Box(50, 50, 50, 90)], 0.0),  # empty
        ([TRUE, Box(200, 200, 300, 300)], 0.5),  # the mean is over the named boxes
        ([], 0.0),
    ],
)
def test_iou_is_the_mean_over_named_boxes_of_the_best(named: list[Box], iou: float) -> None:
    assert mean_best_iou(named, [TRUE]) == pytest.approx(iou)


def test_a_missed_true_box_costs_nothing_as_published() -> None:
    assert mean_best_iou([TRUE], [TRUE, Box(200, 200, 300, 300)]) == 1.0


def test_a_scan_in_the_taught_words_earns_form_and_overlap() -> None:
    reply = scan_reply([(Box(0, 0, 100, 50), Grade.CLEAR)], Verdict.REAL)
    assert reward_scan(reply, [TRUE], LIMITS) == {Part.FORMAT: 1.0, Part.IOU: pytest.approx(0.5)}


def test_the_scans_verdict_earns_nothing() -> None:
    real, generated = (reward_scan(scan_reply([(TRUE, Grade.NO)], verdict), [TRUE], LIMITS) for verdict in Verdict)
    assert real == generated


def test_without_true_boxes_no_box_is_better_than_another() -> None:
    assert reward_scan(scan_reply([(TRUE, Grade.NO)], Verdict.REAL), [], LIMITS) == {Part.FORMAT: 1.0}


@pytest.mark.parametrize("reply", ["", "no idea", "[]", "null", "{", '{"explanation": "x"}'])
def test_a_scan_that_cannot_be_read_earns_nothing(reply: str) -> None:
    assert reward_scan(reply, [TRUE], LIMITS) == {Part.FORMAT: 0.0, Part.IOU: 0.0}


def test_a_cut_off_scan_earns_its_complete_boxes_but_not_its_form() -> None:
    reply = scan_reply([(TRUE, Grade.NO), (Box(200, 200, 300, 300), Grade.NO)], Verdict.REAL)
    assert reward_scan(reply[: reply.index("[200") + 3], [TRUE], LIMITS) == {Part.FORMAT: 0.0, Part.IOU: 1.0}


@pytest.mark.parametrize(
    "broken",
    [
        lambda reply: f"```json\n{json.dumps(reply)}\n```",
        lambda reply: json.dumps(reply | {"more": 1}),
        lambda reply: json.dumps(reply | {"regions": reply["regions"] * 3}),
        lambda reply: json.dumps(reply | {"verdict": "Real"}),
        lambda reply: json.dumps(reply | {"regions": []}),
        lambda reply: json.dumps(reply) + " and so on",
    ],
)
def test_what_reading_tolerates_still_costs_the_reward_for_form(broken) -> None:  # type: ignore[no-untyped-def]
    reply = json.loads(scan_reply([(TRUE, Grade.CLEAR)], Verdict.REAL))
    assert reward_scan(json.dumps(reply), [TRUE], LIMITS)[Part.FORMAT] == 1.0
    assert reward_scan(broken(reply), [TRUE], LIMITS)[Part.FORMAT] == 0.0


def test_a_zoom_earns_its_verdict_and_its_words_apart() -> None:
    reply = zoom_reply([Grade.CLEAR], Verdict.GENERATED)
    assert reward_zoom(reply, Verdict.GENERATED, REFERENCE) == {Part.VERDICT: 1.0, Part.BLEU: pytest.approx(1.0)}
    assert reward_zoom(reply, Verdict.REAL, REFERENCE) == {Part.VERDICT: 0.0, Part.BLEU: pytest.approx(1.0)}


@pytest.mark.parametrize("reply", ["", '{"findings": [], "explanation": "Region 1 shows clear traces of redrawing."', "{}"])
def test_a_zoom_without_a_verdict_earns_nothing(reply: str) -> None:
    assert reward_zoom(reply, Verdict.REAL, REFERENCE) == {Part.VERDICT: 0.0, Part.BLEU: 0.0}


def test_bleu_orders_explanations_by_how_much_they_share() -> None:
    same = bleu_2("region 1 shows clear traces of redrawing", REFERENCE)  # case and stops do not count
    one_word = bleu_2("Region 1 shows faint traces of redrawing.", REFERENCE)
    other = bleu_2("No region shows traces of redrawing.", REFERENCE)
    assert same == pytest.approx(1.0)
    assert same > one_word > other > 0
    assert bleu_2("Nothing to see here", REFERENCE) == 0.0
    assert bleu_2("", REFERENCE) == 0.0


def test_bleu_of_a_known_pair() -> None:
    # 3 of 4 words; pairs "a b" and, added, one of one: (1 + 1) / (3 + 1); no brevity penalty.
    assert bleu_2("a b d c", "a b c x") == pytest.approx((3 / 4 * 2 / 4) ** 0.5)


def test_bleu_punishes_repetition_and_brevity() -> None:
    assert bleu_2("traces traces traces traces", "clear traces of redrawing") == pytest.approx((1 / 4 * 1 / 4) ** 0.5)
    assert bleu_2("clear traces", "clear traces of redrawing") == pytest.approx(2.718281828 ** (1 - 4 / 2))
