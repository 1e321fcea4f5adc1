"""A map as pictures: a transparent layer to lay over the image, and an overlay that says by itself what it shows. No torch."""

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from worker.forensics.maps import AttentionMap, Target, TargetKind, over_original
from worker.forensics.recorded import RecordedVerdict
from worker.forensics.tokens import has_sentences
from worker.images.lettering import Line, wrap, written
from worker.moderation.boxes import Size
from worker.moderation.outcomes import Stage
from worker.moderation.release import HONESTY, Training

# Inferno (Smith & van der Walt, matplotlib, CC0): brighter is more in any print and to any eye. Seventeen of its colours, the rest between.
INFERNO = (
    *((0, 0, 4), (11, 7, 36), (33, 12, 74), (61, 9, 101), (87, 16, 110), (113, 25, 110), (138, 34, 106), (163, 44, 97), (188, 55, 84)),
    *((210, 70, 68), (228, 90, 49), (241, 115, 29), (249, 142, 9), (252, 172, 17), (249, 203, 53), (242, 234, 105), (252, 255, 164)),
)
THINNEST, THICKEST = 0.35, 0.80  # the colour's opacity over the greyed image, where nothing and where most is looked at
SHADES = 256
SHORTEST_SIDE = 448  # pixels of the overlay's longer side at least: smaller images are enlarged, pixels shown as pixels
LEAST_WIDTH = 480  # a legend below a narrow image must stay readable
BACKGROUND, BRIGHT, DIM, INK = (17, 20, 26), (238, 241, 246), (166, 175, 190), (0, 0, 0)
BOX_COLOUR = (86, 190, 240)  # light blue: no colour of inferno
HEADLINE, TEXT, PADDING, BAR = 17, 13, 12, 10  # font sizes, pixels
STAGES = {Stage.SCAN: "scan", Stage.ZOOM: "zoom"}


def layer_png(attention: AttentionMap, recorded: RecordedVerdict) -> bytes:
    """The map alone, RGBA, of the size of the whole image as sent: to be stretched over the original. Opacity follows the value."""
    levels = _levels(attention, recorded)
    rgba = np.dstack([_coloured(levels), np.rint(255 * THICKEST * levels).astype(np.uint8)])
    return _png(Image.fromarray(rgba, "RGBA"))


def overlay_png(attention: AttentionMap, recorded: RecordedVerdict) -> bytes:
    """The whole image as sent, greyed, under the map; the named regions boxed; a legend that names the release and its training."""
    levels = _levels(attention, recorded)
    whole = recorded.zoom.images[0].pixels.convert("L").convert("RGB")
    opacity = np.rint(255 * (THINNEST + (THICKEST - THINNEST) * levels)).astype(np.uint8)
    blended = Image.composite(Image.fromarray(_coloured(levels), "RGB"), whole, Image.fromarray(opacity, "L"))
    scale = max(1, -(-SHORTEST_SIDE // max(blended.size)))
    picture = blended.resize((blended.width * scale, blended.height * scale), Image.Resampling.NEAREST)
    _draw_boxes(picture, recorded)
    return _png(_with_legend(picture, attention, recorded))


def _levels(attention: AttentionMap, recorded: RecordedVerdict) -> NDArray[np.float32]:
    """The map over the whole image as sent, 0..1 (height × width): the root of the share of its largest value.

    One token often has half of all mass; by the root, what has a hundredth of it is still seen.
    """
    field = over_original(attention, Size(*recorded.zoom.images[0].pixels.size), recorded.size)
    largest = float(field.max())
    return np.sqrt(field / largest) if largest > 0 else field


def _coloured(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return _colours()[np.rint((SHADES - 1) * levels).astype(np.uint8)]


@cache
def _colours() -> NDArray[np.uint8]:
    """SHADES × 3. Looked up: a ninth of the memory that interpolating each pixel takes, and a thirtieth of the time."""
    stops, wanted = np.linspace(0, 1, len(INFERNO)), np.linspace(0, 1, SHADES)
    channels = [np.interp(wanted, stops, channel) for channel in zip(*INFERNO, strict=True)]
    colours: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return colours


def _draw_boxes(picture: Image.Image, recorded: RecordedVerdict) -> None:
    draw = ImageDraw.Draw(picture)
    for number, region in enumerate(recorded.regions, 1):
        box = region.box.scaled(picture.width / recorded.size.width, picture.height / recorded.size.height)
        x0, y0, x1, y1 = box.clamped(Size(*picture.size)).corners()
        draw.rectangle((x0 - 1, y0 - 1, max(x0, x1), max(y0, y1)), outline=INK, width=4)
        draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=BOX_COLOUR, width=2)
        draw.text((x0 + 5, y0 + 4), str(number), fill=BOX_COLOUR, stroke_width=2, stroke_fill=INK, font_size=HEADLINE)


def _with_legend(picture: Image.Image, attention: AttentionMap, recorded: RecordedVerdict) -> Image.Image:
    width = max(picture.width, LEAST_WIDTH)
    lines = [
        *(Line(line, HEADLINE, BRIGHT) for line in wrap(_headline(attention.target, recorded), HEADLINE, width - 2 * PADDING, 3)),
        *(Line(line, TEXT, DIM) for text in _notes(attention, recorded) for line in wrap(text, TEXT, width - 2 * PADDING, 4)),
    ]
    text = written(lines, width - 2 * PADDING, BACKGROUND)
    whole = Image.new("RGB", (width, picture.height + BAR + text.height + 2 * PADDING), BACKGROUND)
    whole.paste(picture, ((width - picture.width) // 2, 0))
    ramp = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (BAR, width))
    whole.paste(Image.fromarray(_coloured(ramp), "RGB"), (0, picture.height))
    whole.paste(text, (PADDING, picture.height + BAR + PADDING))
    return whole


def _headline(target: Target, recorded: RecordedVerdict) -> str:
    stage = next(stage for stage in recorded.stages if stage.stage is target.stage)
    match target.kind:
        case TargetKind.VERDICT:
            said = f"the {STAGES[target.stage]} said “{target.text}”, P(generated) {stage.p_generated:.2f} (raw)"
            return f"What speaks for “generated”: {said}"
        case TargetKind.SENTENCE:
            which = f"the sentences from {target.number} on" if has_sentences(target.text) else f"sentence {target.number}"
            return f"What {which} of the {STAGES[target.stage]}'s explanation rests on: “{target.text}”"
        case TargetKind.BOX:
            return f"What box {target.number} of the scan rests on: [{target.text}]"


def _notes(attention: AttentionMap, recorded: RecordedVerdict) -> Sequence[str]:
    release = recorded.release
    honesty = "trained for this task" if release.training is Training.TRAINED else HONESTY[release.training]
    return (
        (
            f"Gradient-weighted attention over image tokens, dark: none, bright: most (by the root). {attention.on_images:.0%} of the "
            "relevance lies on images, the rest on words. Boxes: the regions that were zoomed."
        ),
        f"{release.id}: {honesty}",
    )


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
