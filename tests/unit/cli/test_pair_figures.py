import copy
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from tests.unit.exports.builders import REGION, judged
from worker.cli.pair_figures import print_pair_figures
from worker.lab.labels import Label
from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training
from worker.store.results import ItemResult
from worker.vision.nano import REPORT

CARD = json.loads(REPORT.read_text())
RELEASE = "nano-0123456789ab"
DRAWN = Label(file="cat.jpg", label=Verdict.GENERATED, regions=(REGION.box,), source="cat", generator="x4plus", control=False)
CLEAN = replace(DRAWN, file="dog.jpg", label=Verdict.REAL, regions=(), generator=None)
PAIR = (
    judged(training=Training.TRAINED, release=RELEASE),
    judged(custom_id="dog.jpg", verdict=Verdict.REAL, p_generated=0.25, regions=(), training=Training.TRAINED, release=RELEASE),
)


def told(results: tuple[ItemResult, ...] = PAIR, facts: Mapping[str, Any] = CARD["release_facts"]) -> str:
    out = io.StringIO()
    print_pair_figures(results, [DRAWN, CLEAN], {RELEASE: facts}, Console(file=out, width=200))
    return out.getvalue()


def other_files(**changes: str) -> dict[str, Any]:
    facts: dict[str, Any] = copy.deepcopy(CARD["release_facts"])
    facts["model"]["files"] |= changes
    return facts


def test_the_card_s_figures_stand_beside_those_of_the_pairs_for_the_very_files_that_were_measured() -> None:
    lines = told().splitlines()
    assert lines[1] == "These 2, held out and not selected: AUROC 1.00, 2 verdicts right, mean best IoU 1.00 over 1 doctored regions."
    assert lines[2].startswith(f"Model card, {CARD['n']} held-out pictures: AUROC {CARD['auroc']['value']:.2f} (")


def test_another_engine_or_decoder_does_not_make_it_another_model() -> None:
    assert "Model card" in told(facts={**CARD["release_facts"], "pillow": "99"})


@pytest.mark.parametrize(
    "facts",
    [
        other_files(**{"model.safetensors": "00" * 32}),
        other_files(**{"zoomin.json": "00" * 32}),
        other_files(**{"more.safetensors": "00" * 32}),
        {"model": {"endpoint": "https://gpu"}},
    ],
)
def test_weights_that_are_merely_called_nano_are_not_given_its_figures(facts: Mapping[str, Any]) -> None:
    assert "These 2" in told(facts=facts)
    assert "Model card" not in told(facts=facts)


def test_a_release_that_is_not_known_is_not_given_the_card_s_figures() -> None:
    assert "Model card" not in told((PAIR[0], replace(PAIR[1], release="nano-ba9876543210")))


def test_scores_that_mean_nothing_are_not_summed_up() -> None:
    assert told((PAIR[0], replace(PAIR[1], training=Training.UNTRAINED))) == ""


def test_ties_count_half_and_what_has_no_score_is_in_the_wrong_order() -> None:
    assert "AUROC 0.50" in told((PAIR[0], replace(PAIR[1], p_generated=PAIR[0].p_generated)))
    assert "AUROC 0.00" in told((replace(PAIR[0], p_generated=None), PAIR[1]))
