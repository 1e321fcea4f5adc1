"""Maps of many pictures for an evaluation, by nano's own weights."""

import math
import weakref
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.forensics.nano_verdict import checkpoint, said_by_nano
from tests.unit.lab.verdicts import judged_as, label
from worker.forensics.agreement import TOLERANCES
from worker.forensics.randomised import Randomised
from worker.forensics.reader import Reader
from worker.forensics.recorded import RecordedVerdict
from worker.lab.evaluation import attention
from worker.lab.evaluation.attention import Traced, attend_pictures
from worker.moderation.calibration import logit, sigmoid
from worker.moderation.errors import MisconfiguredError
from worker.moderation.outcomes import Stage


def ignore(_: object) -> None:
    """Reports nothing."""


def traced(name: str, recorded: RecordedVerdict) -> Traced:
    """A generated picture, called so."""
    of = label(name, "x4plus")
    return Traced(of, judged_as(of, 0.9), lambda: recorded)


def with_zoom(**changes: Any) -> RecordedVerdict:
    verdict = said_by_nano()
    return replace(verdict, stages=(verdict.stages[0], replace(verdict.zoom, **changes)))


@pytest.fixture
def _without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "CURVED", 0)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many copies of the weights were held beside it, whenever one was loaded; that of the other tests is not counted."""
    said_by_nano()
    held, living, begin = list[int](), list["weakref.ref[Any]"](), Reader.__init__

    def counted(self: Reader, model: Any, *more: Any) -> None:
        held.append(sum(one() is not None for one in living))
        living.append(weakref.ref(model))
        begin(self, model, *more)

    monkeypatch.setattr(Reader, "__init__", counted)
    return held


@pytest.mark.usefixtures("_without_curves")
def test_pictures_that_are_not_read_end_nothing_and_one_copy_of_the_weights_is_held(copies: list[int]) -> None:
    pictures = [
        traced("no verdict", with_zoom(reply="{}")),
        traced("no number", with_zoom(p_generated=math.nan)),
        traced("apart", with_zoom(p_generated=said_by_nano().zoom.p_generated * 0.8)),
        traced("fine", said_by_nano()),
    ]
    no_verdict, no_number, apart, fine = attend_pictures(checkpoint(), pictures, ignore)
    for unread in (no_verdict, no_number):
        assert math.isnan(unread.gap)
        assert math.isnan(unread.gap_in_other)
        assert (unread.seconds, unread.verdicts, unread.noise) == (None, {}, {})
    assert TOLERANCES["float32"] < apart.gap < 1
    assert apart.noise == {}
    assert fine.gap < 1e-6 < fine.gap_in_other
    assert set(fine.noise) == set(Randomised)
    assert copies == [0] * 5


def test_what_is_too_long_is_counted_as_unread_and_needs_no_noise(copies: list[int]) -> None:
    (long,) = attend_pictures(checkpoint(), [traced("long", said_by_nano())], ignore, memory_gib=0.001)
    assert math.isnan(long.gap)
    assert copies == [0, 0]


def test_pictures_of_another_release_still_end_it() -> None:
    release = replace(said_by_nano().release, facts={"model": {"files": {"model.safetensors": "0" * 64}}})
    with pytest.raises(MisconfiguredError, match="differ"):
        attend_pictures(checkpoint(), [traced("other", replace(said_by_nano(), release=release))], ignore)


@pytest.mark.usefixtures("_without_curves")
def test_noise_that_comes_to_no_number_is_no_map_that_collapsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_weights(reader: Reader, _: Randomised) -> None:
        reader.model.model.language_model.layers[-1].mlp.down_proj.weight.fill_(math.nan)

    monkeypatch.setattr(attention, "randomise", break_weights)
    (broken,) = attend_pictures(checkpoint(), [traced("fine", said_by_nano())], ignore)
    assert broken.verdicts[Stage.ZOOM] is not None
    assert broken.noise == dict.fromkeys(Randomised, (None, None))


@pytest.mark.usefixtures("_without_curves")
@pytest.mark.parametrize(("engine", "drawn"), [("float32", False), ("bfloat16", True)])
def test_what_an_evaluation_draws_is_what_the_product_would_draw(engine: str, *, drawn: bool) -> None:
    apart = with_zoom(p_generated=sigmoid(logit(said_by_nano().zoom.p_generated) + 0.2))
    facts = {"model": {**apart.release.facts["model"], "dtype": engine}}
    (found,) = attend_pictures(checkpoint(), [traced("apart", replace(apart, release=replace(apart.release, facts=facts)))], ignore)
    assert (found.seconds is not None) is drawn
    assert found.gap > TOLERANCES["float32"]
