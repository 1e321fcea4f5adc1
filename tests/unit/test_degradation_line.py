"""The line on what an image went through, as the pages show it."""

import re

import pytest

from api.review_page.rendering import render
from worker.store.models import OutcomeRow


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (
            {"degradation_band": "blurred", "jpeg_quality": 78, "blur": 1.23, "rescaling": 1.5, "border": [0, 12, 0, 0]},
            "Blurred: JPEG quality 78 · blur of 1.2 pixels · enlarged 1.50 times · borders of 0, 12, 0, 0 pixels SIDES.",
        ),
        (
            {"degradation_band": "clean", "jpeg_quality": 95, "blur": 0.0, "rescaling": 1.0, "border": [0, 0, 0, 0]},
            "No degradation found: JPEG quality 95 · blur of 0.0 pixels · no sign of enlarging · no borders.",
        ),
        (
            {"degradation_band": "framed", "border": [1, 1, 1, 1]},
            "With borders: not a JPEG · UNSHARP · too small to tell whether it was enlarged · borders of 1, 1, 1, 1 pixels SIDES.",
        ),
        ({}, "What the image went through before it came was not measured, or is no longer kept."),
    ],
)
def test_what_was_measured_is_said_and_what_could_not_be_is_too(measured: dict[str, object], said: str) -> None:
    html = render("explaining/degradation.html", None, outcome=OutcomeRow(**measured))
    said = said.replace("SIDES", "(left, top, right, bottom)").replace("UNSHARP", "no edges to tell its sharpness by")
    assert " ".join(re.sub("<[^>]+>", "", html).split()) == said
