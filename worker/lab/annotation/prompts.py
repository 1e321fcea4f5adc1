"""What explainer and grounder are asked. Nothing of a file name or of metadata enters, but the facts that a text-only explainer is told."""

from worker.lab.annotation.clues import MOST_CLUES
from worker.lab.labels import Label
from worker.moderation.boxes import Size
from worker.moderation.outcomes import Verdict
from worker.vision.model import Coordinates

VERSION = 1  # raised when a text changes: replies to another text are not mixed with these

EXPLAINER_SYSTEM = (
    "You are an examiner of image authenticity. You describe only what can be seen, each observation tied to a place in the picture that"
    " somebody else can find by your words. You reply with one JSON object and nothing else."
)
KNOWN = {
    Verdict.GENERATED: "This picture is known to be made, wholly or partly, by an image generator. Name what gives it away",
    Verdict.REAL: "This picture is known to be a photograph. Name what shows that it is one, at places that a generator often gets wrong",
}
EXPLAINER_TASK = (
    "{known}: faces, hands, limbs, text, logos, edges, textures, light. Up to {most} clues. For each, `where`: the object or part, in"
    " words that find it (at most ten words), and `what`: what is seen there (one sentence). `explanation`: two sentences over all of them."
    ' Reply as {{"clues": [{{"where": "…", "what": "…"}}], "explanation": "…"}}.'
)
FACTS = "You cannot see the picture. What is known of it: {width}×{height} pixels, {regions}."
GROUNDER_SYSTEM = "You locate what is described in a picture. You reply with one JSON object and nothing else."
GROUNDER_TASK = (
    "Locate in this picture of {width}×{height} pixels: {clue}\n"
    'Reply as {{"regions": [{{"bbox_2d": [x1, y1, x2, y2]}}]}} with the one box that fits it closely, in {unit}; with an empty list if it'
    " is not there."
)
SUBJECT = "the main subject of the picture, as a whole"
UNITS = {Coordinates.ABSOLUTE: "pixels of this picture", Coordinates.RELATIVE_1000: "thousandths of its width and height"}


def explainer_task(label: Label) -> str:
    """The explainer's question about a picture that is known to be what `label` says."""
    return EXPLAINER_TASK.format(known=KNOWN[label.label], most=MOST_CLUES)


def facts_in_words(label: Label, size: Size) -> str:
    """What a text-only explainer is told instead of being shown the picture: where its known regions are."""
    places = [_place_in_words(box.x0 + box.x1, box.y0 + box.y1, size) for box in label.regions]
    change = "redrawn by a generator" if label.label is Verdict.GENERATED else "resampled"
    regions = f"regions {change}: {'; '.join(places)}" if places else "no region is known to be changed"
    return FACTS.format(width=size.width, height=size.height, regions=regions)


def grounder_task(clue: str, sent: Size, coordinates: Coordinates) -> str:
    """The grounder's question about a picture sent at `sent` pixels."""
    return GROUNDER_TASK.format(width=sent.width, height=sent.height, clue=clue, unit=UNITS[coordinates])


def _place_in_words(twice_x: float, twice_y: float, size: Size) -> str:
    row = ("top", "middle", "bottom")[min(int(3 * twice_y / 2 / size.height), 2)]
    column = ("left", "centre", "right")[min(int(3 * twice_x / 2 / size.width), 2)]
    return f"{row} {column}"
