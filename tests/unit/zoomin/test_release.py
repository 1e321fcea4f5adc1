from dataclasses import replace

from worker.moderation.calibration import Accuracy, BandCalibration, Calibration, measured_accuracies
from worker.moderation.degradation import BLURRED_FROM, DegradationBand
from worker.vision.scripted import SCRIPTED_CARD
from worker.zoomin.prompts import load_prompts
from worker.zoomin.regions import RegionChoice, largest_regions, no_regions, random_regions, scan_boxes
from worker.zoomin.release import name_release


def test_another_calibration_is_another_release() -> None:
    cards = [SCRIPTED_CARD, *(replace(SCRIPTED_CARD, calibration=Calibration(0.5, offset)) for offset in (0.0, 0.1))]
    releases = [name_release(card, load_prompts(), scan_boxes) for card in cards]
    assert len({release.id for release in releases}) == 3
    assert [release.facts["calibration"] for release in releases] == [
        None,
        {"scale": 0.5, "offset": 0.0},
        {"scale": 0.5, "offset": 0.1},
    ]


def test_what_holds_per_band_and_what_tells_bands_apart_belong_to_the_release() -> None:
    card = replace(SCRIPTED_CARD, bands={DegradationBand.BLURRED: BandCalibration(Calibration(0.5, 0.1), Accuracy(0.7, 0.6, 0.8, 90))})
    release, plain = (name_release(one, load_prompts(), scan_boxes) for one in (card, SCRIPTED_CARD))
    assert release.id != plain.id
    assert "degradation" not in plain.facts
    assert release.facts["degradation"]["estimator"]["blurred_from"] == BLURRED_FROM
    assert measured_accuracies(release.facts["degradation"]["bands"]) == {DegradationBand.BLURRED: Accuracy(0.7, 0.6, 0.8, 90)}
    assert measured_accuracies(None) == {}
    assert measured_accuracies({"of a later version": {}, "framed": {"scale": 1.0, "accuracy": None}}) == {}


def test_every_choice_of_regions_is_a_release_of_its_own() -> None:
    choices: dict[str, RegionChoice] = {
        "scan_boxes": scan_boxes,
        "no_regions": no_regions,
        "largest_regions(3)": largest_regions(3),
        "largest_regions(2)": largest_regions(2),
        "random_regions(0)": random_regions(0),
        "random_regions(1)": random_regions(1),
    }
    releases = {name: name_release(SCRIPTED_CARD, load_prompts(), choose) for name, choose in choices.items()}
    assert [release.facts["regions"]["choice"] for release in releases.values()] == list(choices)
    assert len({release.id for release in releases.values()}) == len(choices)


def test_the_same_facts_name_the_same_release() -> None:
    first, second = (name_release(SCRIPTED_CARD, load_prompts(), random_regions(7)) for _ in range(2))
    assert first.id == second.id
