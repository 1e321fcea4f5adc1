"""What a region is about, from the model's own words: figures per artefact need a closed set, and models write free text.

The finding decides; where it names nothing that is known here, the scan's reason does. Of several names, the first in the text counts.
nano says how strong the traces of redrawing are, and nothing else: its five grades are artefacts of their own. Words are English, as the
prompts ask for; a text in another language is `other`.
"""

import re
from enum import StrEnum


class Artefact(StrEnum):
    """The targets that the prompts name, the grades that nano knows, and the rest."""

    HAND = "hand"
    FACE = "face"
    LIMB = "limb"  # of people and animals, with their poses
    TEXT = "text"
    LOGO = "logo"
    EDGE = "edge"
    TEXTURE = "texture"
    LIGHT = "light"  # shadows and reflections, too
    STRONG_TRACES = "strong_traces"
    CLEAR_TRACES = "clear_traces"
    SOME_TRACES = "some_traces"
    FAINT_TRACES = "faint_traces"
    NO_TRACES = "no_traces"
    OTHER = "other"


NAMES: dict[Artefact, str] = {
    Artefact.HAND: "hand hands finger fingers thumb thumbs knuckle knuckles fingernail fingernails",
    Artefact.FACE: (
        "face faces facial eye eyes pupil pupils iris irises mouth mouths lip lips tooth teeth nose noses ear ears eyebrow eyebrows"
        " hair skin"
    ),
    Artefact.LIMB: (
        "limb limbs arm arms leg legs foot feet toe toes paw paws claw claws tail tails wing wings elbow elbows knee knees wrist wrists"
        " pose poses posture anatomy"
    ),
    Artefact.TEXT: (
        "text texts letter letters lettering word words writing glyph glyphs caption captions font fonts typography sign signs signage"
        " number numbers digit digits"
    ),
    Artefact.LOGO: "logo logos brand brands emblem emblems trademark trademarks watermark watermarks",
    Artefact.EDGE: "edge edges border borders boundary boundaries outline outlines contour contours seam seams halo halos",
    Artefact.TEXTURE: ("texture textures pattern patterns smooth smoothness smoothing smoothed noise grain repetition repeating repeated"),
    Artefact.LIGHT: "light lighting shadow shadows reflection reflections highlight highlights",
}
BY_NAME = {name: artefact for artefact, names in NAMES.items() for name in names.split()}
# As worker.vision.nano.wording writes them: a grade, and then this word.
BY_GRADE = {grade: Artefact(f"{grade}_traces") for grade in ("strong", "clear", "some", "faint", "no")}
GRADED = "traces"
WORD = re.compile("[a-z]+")


def artefact_of(reason: str, finding: str | None) -> Artefact:
    """Which artefact a region is about."""
    for said in (finding or "", reason):
        before = ""
        for word in WORD.findall(said.lower()):
            if named := BY_GRADE.get(before) if word == GRADED else BY_NAME.get(word):
                return named
            before = word
    return Artefact.OTHER
