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


WORDS: dict[Artefact, str] = {
    Artefact.HAND: "hands? fingers? thumbs? knuckles? fingernails?",
    Artefact.FACE: "faces? facial eyes? pupils? iris irises mouths? lips? teeth tooth nose noses ears? hair eyebrows? skin",
    Artefact.LIMB: "limbs? arms? legs? foot feet toes? paws? claws? tails? wings? elbows? knees? wrists? poses? posture anatomy",
    Artefact.TEXT: "texts? letters? lettering words? writing glyphs? captions? fonts? typography signs? signage numbers? digits?",
    Artefact.LOGO: "logos? brands? emblems? trademarks? watermarks?",
    Artefact.EDGE: "edges? borders? boundary boundaries outlines? contours? seams? halos?",
    Artefact.TEXTURE: "textures? patterns? smooth smoothness smoothing noise grain repetition repeating repeated",
    Artefact.LIGHT: "light lighting shadows? reflections? highlights?",
    **{
        Artefact(f"{grade}_traces"): f"{grade}\\straces"  # as worker.vision.nano.wording writes them
        for grade in ("strong", "clear", "some", "faint", "no")
    },
}
NAMED = re.compile(
    r"\b(?:" + "|".join(f"(?P<{artefact}>{'|'.join(words.split())})" for artefact, words in WORDS.items()) + r")\b", re.IGNORECASE
)


def artefact_of(reason: str, finding: str | None) -> Artefact:
    """Which artefact a region is about."""
    for said in (finding or "", reason):
        if (named := NAMED.search(said)) and named.lastgroup:
            return Artefact(named.lastgroup)
    return Artefact.OTHER
