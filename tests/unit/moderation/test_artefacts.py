"""Which artefact a region is about."""

import json

import pytest

from worker.moderation.artefacts import BY_GRADE, BY_NAME, NAMES, Artefact, artefact_of
from worker.moderation.outcomes import Verdict
from worker.vision.nano.wording import Grade, zoom_reply


@pytest.mark.parametrize(
    ("reason", "finding", "artefact"),
    [
        ("hand", None, Artefact.HAND),
        ("", "Six FINGERS on the left hand", Artefact.HAND),
        ("text on the sign", "the letters are garbled", Artefact.TEXT),
        ("a logo", "nothing unusual", Artefact.LOGO),
        ("the dog's paws", "too many claws", Artefact.LIMB),
        ("edge of the roof", "a halo", Artefact.EDGE),
        ("skin texture", None, Artefact.FACE),  # of several, the first
        ("handle of a cup", "shandy", Artefact.OTHER),  # parts of words name nothing
        ("", "there are traces of a brush", Artefact.OTHER),
        ("", None, Artefact.OTHER),
        ("手", "六本の指", Artefact.OTHER),
    ],
)
def test_the_finding_decides_and_then_the_reason(reason: str, finding: str | None, artefact: Artefact) -> None:
    assert artefact_of(reason, finding) is artefact


def test_nano_s_grades_are_told_apart_in_its_very_words() -> None:
    findings = [entry["finding"] for entry in json.loads(zoom_reply(list(Grade), Verdict.REAL))["findings"]]
    assert [artefact_of("clear traces", finding) for finding in findings] == [Artefact(f"{grade.name.lower()}_traces") for grade in Grade]


def test_every_artefact_but_other_can_be_named_and_by_no_other_s_words() -> None:
    assert {*BY_NAME.values(), *BY_GRADE.values(), Artefact.OTHER} == set(Artefact)
    assert len(BY_NAME) == sum(len(names.split()) for names in NAMES.values())
