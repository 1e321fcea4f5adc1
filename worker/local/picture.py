"""Draws what was found: the sample with its boxes numbered, the zoom crops as cards beside or below it, and a caption."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from worker.images.lettering import Colour, Line, font, wrap, written
from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import Region

LONGEST_SIDE = 960  # pixels of the photograph as drawn; crops are cut from the original all the same
SHORTEST_LONGEST_SIDE = 384  # pixels; smaller originals are enlarged until their boxes can be told apart
GAP, PADDING = 16, 8
CARD_WIDTHS = (176, 232)  # least and most; as many stand in a row as fit
BESIDE_UP_TO = 1.2  # width over height of the photograph up to which cards stand beside it, not below
COLUMNS_BESIDE = 2  # more cards than fit in so many columns stand below
LEAST_CAPTION_WIDTH = 480  # a caption below a tiny or narrow image must stay readable
HEADLINE, TEXT, SMALL, SPACE = 21, 15, 13, 5  # font sizes; the last between paragraphs
REASON_LINES, FINDING_LINES, CAPTION_LINES = 2, 3, 6  # the last of each paragraph
BADGE = Size(22, 20)
BACKGROUND, CARD, WELL, INK = (17, 20, 26), (30, 35, 44), (10, 12, 16), (0, 0, 0)
BRIGHT, DIM = (238, 241, 246), (166, 175, 190)
# Okabe and Ito's palette, brightened: told apart by colour-blind eyes, and light enough to carry dark numbers.
COLOURS = ((240, 168, 32), (86, 190, 240), (40, 205, 150), (244, 232, 76), (245, 125, 70), (230, 145, 190))


def annotate(original: Image.Image, regions: Sequence[Region], caption: str) -> Image.Image:
    """A new RGB picture: `original` (RGB) with `regions` (in its pixels) boxed and numbered, their crops with findings, and `caption`.

    The caption's first line is the headline, each further line a paragraph. Every size of image, number of regions and length of text is
    drawn; text too long ends in an ellipsis.
    """
    photograph = _with_boxes(original, regions)
    body = _with_cards(photograph, original, regions) if regions else photograph
    width = max(body.width, LEAST_CAPTION_WIDTH)
    return _framed(_below([body, _caption(caption, width)]))


def _with_cards(photograph: Image.Image, original: Image.Image, regions: Sequence[Region]) -> Image.Image:
    if photograph.width <= BESIDE_UP_TO * photograph.height:
        cards = _cards(original, regions, CARD_WIDTHS[1])
        columns = math.ceil(len(cards) / max(1, (photograph.height + GAP) // (cards[0].height + GAP)))
        if columns <= COLUMNS_BESIDE:
            return _beside([photograph, _grid(cards, columns)])
    columns = min(max(2, len(regions)), max(2, (photograph.width + GAP) // (CARD_WIDTHS[0] + GAP)))
    width = min(CARD_WIDTHS[1], (max(photograph.width, LEAST_CAPTION_WIDTH) + GAP) // columns - GAP)
    return _below([photograph, _grid(_cards(original, regions, width), columns)])


def _with_boxes(original: Image.Image, regions: Sequence[Region]) -> Image.Image:
    longest = max(original.size)
    scale = max(min(1.0, LONGEST_SIDE / longest), SHORTEST_LONGEST_SIDE / longest)
    picture = _scaled(original, scale)
    draw = ImageDraw.Draw(picture)
    size = Size(*picture.size)
    boxes = [_drawable(region.box.ordered().scaled(size.width / original.width, size.height / original.height), size) for region in regions]
    for ordinal, (x0, y0, x1, y1) in enumerate(boxes):
        draw.rectangle((x0 - 1, y0 - 1, x1, y1), outline=INK, width=4)
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=_colour(ordinal), width=2)
    # Numbers come last: no outline of a later box may cross them.
    taken = set[tuple[int, int]]()
    for ordinal, (x0, y0, _, _) in enumerate(boxes):
        at = _free_spot((min(x0, size.width - BADGE.width), min(y0, size.height - BADGE.height)), taken)
        taken.add(at)
        _draw_badge(draw, at, ordinal)
    return picture


def _cards(original: Image.Image, regions: Sequence[Region], width: int) -> list[Image.Image]:
    inner = width - 2 * PADDING
    corners = [_drawable((region.crop_box or region.box).ordered().outward(), Size(*original.size)) for region in regions]
    texts = [_card_text(region, corner, inner) for region, corner in zip(regions, corners, strict=True)]
    size = Size(width, inner + max(text.height for text in texts) + 3 * PADDING)  # of all alike, so that rows line up
    crops = [original.crop(corner) for corner in corners]
    return [_card(crop, text, ordinal, size) for ordinal, (crop, text) in enumerate(zip(crops, texts, strict=True))]


def _card(crop: Image.Image, text: Image.Image, ordinal: int, size: Size) -> Image.Image:
    card = Image.new("RGB", (size.width, size.height), CARD)
    draw = ImageDraw.Draw(card)
    well = size.width - 2 * PADDING
    draw.rectangle((PADDING, PADDING, PADDING + well - 1, PADDING + well - 1), fill=WELL)
    shown = _scaled(crop, well / max(crop.size))
    card.paste(shown, (PADDING + (well - shown.width) // 2, PADDING + (well - shown.height) // 2))
    draw.rectangle((0, 0, size.width - 1, 2), fill=_colour(ordinal))
    _draw_badge(draw, (PADDING, PADDING), ordinal)
    card.paste(text, (PADDING, 2 * PADDING + well))
    return card


def _card_text(region: Region, corners: tuple[int, int, int, int], width: int) -> Image.Image:
    x0, y0, x1, y1 = corners
    pixels = f"{x1 - x0} × {y1 - y0} px" + (f", sent at {region.scale:.2g} ×" if region.scale else "")
    finding = region.finding or "The zoom found nothing to say."
    lines = [Line(line, TEXT, BRIGHT) for line in wrap(region.reason, TEXT, width, REASON_LINES)]
    lines += [Line(line, SMALL, DIM) for line in wrap(finding, SMALL, width, FINDING_LINES)]
    lines += [Line(line, SMALL, DIM) for line in wrap(pixels, SMALL, width, 1)]
    return written(lines, width, CARD)


def _caption(caption: str, width: int) -> Image.Image:
    headline, *paragraphs = caption.strip().split("\n")
    lines = [Line(line, HEADLINE, BRIGHT) for line in wrap(headline, HEADLINE, width, 2)]
    for paragraph in paragraphs:
        lines += [Line("", SPACE, DIM), *(Line(line, TEXT, DIM) for line in wrap(paragraph, TEXT, width, CAPTION_LINES))]
    return written(lines, width, BACKGROUND)


def _draw_badge(draw: ImageDraw.ImageDraw, at: tuple[int, int], ordinal: int) -> None:
    x, y = at
    draw.rectangle((x, y, x + BADGE.width - 1, y + BADGE.height - 1), fill=_colour(ordinal), outline=INK)
    draw.text((x + BADGE.width / 2, y + BADGE.height / 2), str(ordinal + 1), font=font(TEXT), fill=INK, anchor="mm")


def _free_spot(wanted: tuple[int, int], taken: set[tuple[int, int]]) -> tuple[int, int]:
    # Boxes often share a corner; their numbers then stand side by side.
    x, y = wanted
    while any(abs(x - a) < BADGE.width and abs(y - b) < BADGE.height for a, b in taken):
        x += 1
    return x, y


def _drawable(box: Box, size: Size) -> tuple[int, int, int, int]:
    # At least one pixel, whatever a model's box became on its way here.
    x0, y0, x1, y1 = box.clamped(size).corners()
    x0, y0 = min(x0, size.width - 1), min(y0, size.height - 1)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def _colour(ordinal: int) -> Colour:
    return COLOURS[ordinal % len(COLOURS)]


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.NEAREST if scale >= 3 else Image.Resampling.BICUBIC)  # show large pixels as pixels


def _grid(images: Sequence[Image.Image], per_row: int) -> Image.Image:
    return _below([_beside(images[start : start + per_row]) for start in range(0, len(images), per_row)])


def _beside(images: Sequence[Image.Image]) -> Image.Image:
    canvas = Image.new("RGB", (sum(i.width + GAP for i in images) - GAP, max(i.height for i in images)), BACKGROUND)
    x = 0
    for image in images:
        canvas.paste(image, (x, 0))
        x += image.width + GAP
    return canvas


def _below(images: Sequence[Image.Image]) -> Image.Image:
    canvas = Image.new("RGB", (max(i.width for i in images), sum(i.height + GAP for i in images) - GAP), BACKGROUND)
    y = 0
    for image in images:
        canvas.paste(image, (0, y))
        y += image.height + GAP
    return canvas


def _framed(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (image.width + 2 * GAP, image.height + 2 * GAP), BACKGROUND)
    canvas.paste(image, (GAP, GAP))
    return canvas
