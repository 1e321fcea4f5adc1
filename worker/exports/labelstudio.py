"""Label Studio: a JSON array of tasks, whose predictions are the boxes and the verdict, to import into a project of LABELING_CONFIG.

An image that was never decoded has no size, and a box without one no place there: it stays out. Label Studio's boxes are in percent.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from worker.exports.jsonl import json_line
from worker.exports.pieces import write_pieces
from worker.moderation.boxes import Box, Size
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Region
from worker.store.results import ItemResult

IMAGE, BOXES, VERDICT, FINDING = "image", "region", "verdict", "finding"  # names of LABELING_CONFIG's tags
LABEL = "looked at"  # a region is worth a closer look; it is no claim that it is fake
LABELING_CONFIG = f"""\
<View>
  <Image name="{IMAGE}" value="$image" zoom="true"/>
  <RectangleLabels name="{BOXES}" toName="{IMAGE}">
    <Label value="{LABEL}"/>
  </RectangleLabels>
  <Choices name="{VERDICT}" toName="{IMAGE}" choice="single" showInline="true">
    <Choice value="real"/>
    <Choice value="generated"/>
  </Choices>
  <TextArea name="{FINDING}" toName="{IMAGE}" perRegion="true" editable="true"/>
</View>
"""


def write_labelstudio(results: Iterable[ItemResult], out: TextIO) -> int:
    """One JSON array: how many tasks it holds. Raises OSError."""
    return write_pieces(labelstudio_pieces(results), out) - 2  # the array's two ends are pieces, too


def labelstudio_pieces(results: Iterable[ItemResult]) -> Iterator[str]:
    """The array's beginning, each task, and its end."""
    yield "["
    before = ""
    for result in results:
        if result.size is not None:
            yield f"{before}\n{json_line(_task(result, result.size)).rstrip()}"
            before = ","
    yield "\n]\n"


def _task(result: ItemResult, size: Size) -> dict[str, Any]:
    data = {
        "image": result.source,
        "item": item_id(result.batch_id, result.ordinal),
        "custom_id": result.custom_id,
        "outcome": result.outcome,
        "verdict": result.verdict,
        "explanation": result.explanation,
        "release": result.release,
        "training": result.training,
    }
    return {"data": data, "predictions": [_prediction(result, size)] if result.verdict is not None else []}


def _prediction(result: ItemResult, size: Size) -> dict[str, Any]:
    parts = [part for number, region in enumerate(result.regions, 1) for part in _region(number, region, size)]
    parts.append({"from_name": VERDICT, "to_name": IMAGE, "type": "choices", "value": {"choices": [result.verdict]}})
    score = {} if result.p_generated is None else {"score": result.p_generated}
    return {"model_version": result.release, **score, "result": parts}


def _region(number: int, region: Region, size: Size) -> Iterator[dict[str, Any]]:
    """A box, and what was found in it, tied to it by their id."""
    place = {
        "id": f"region_{number}",
        "to_name": IMAGE,
        "original_width": size.width,
        "original_height": size.height,
        "image_rotation": 0,  # boxes are in the upright image, which is what browsers show
    }
    value = _percent(region.box, size)
    yield {**place, "from_name": BOXES, "type": "rectanglelabels", "value": {**value, "rectanglelabels": [LABEL]}}
    said = region.finding or region.reason
    if said:
        yield {**place, "from_name": FINDING, "type": "textarea", "value": {**value, "text": [said]}}


def _percent(box: Box, size: Size) -> dict[str, float]:
    x0, y0, x1, y1 = box.corners()
    return {
        "x": 100 * x0 / size.width,
        "y": 100 * y0 / size.height,
        "width": 100 * (x1 - x0) / size.width,
        "height": 100 * (y1 - y0) / size.height,
        "rotation": 0,
    }
