"""COCO object detection: boxes for annotation tools. Images that were never decoded have no size there, and stay out."""

import shutil
import tempfile
from collections.abc import Iterable
from itertools import count
from typing import Any, TextIO

from worker.exports.jsonl import json_line
from worker.moderation.boxes import Size
from worker.moderation.outcomes import Region
from worker.store.results import ItemResult

REGION_CATEGORY = 1
CATEGORIES = [{"id": REGION_CATEGORY, "name": "region", "supercategory": "looked at closely"}]
INFO = {"description": "Regions that ZoomIn looked at closely; boxes in original pixels after EXIF orientation", "version": "1"}


def write_coco(results: Iterable[ItemResult], out: TextIO) -> int:
    """One COCO object: how many images it holds. Image ids are ordinals + 1. Raises OSError."""
    images, annotation_ids = 0, count(1)
    # The format wants all images before all annotations; those wait on disk, as a batch may have millions.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as waiting:
        out.write(f'{{"info": {_json(INFO)},\n"licenses": [],\n"categories": {_json(CATEGORIES)},\n"images": [')
        for result in results:
            if result.size is None:
                continue
            out.write(_separator(images) + _json(_image(result, result.size)))
            images += 1
            for region in result.regions:
                number = next(annotation_ids)
                waiting.write(_separator(number - 1) + _json(_annotation(number, result, region)))
        out.write('],\n"annotations": [')
        waiting.seek(0)
        shutil.copyfileobj(waiting, out)
        out.write("]}\n")
    return images


def _image(result: ItemResult, size: Size) -> dict[str, Any]:
    return {
        "id": result.ordinal + 1,
        "file_name": result.custom_id,
        "width": size.width,
        "height": size.height,
        "coco_url": result.source,
        "outcome": result.outcome,
        "verdict": result.verdict,
        "p_generated": result.p_generated,
        "explanation": result.explanation,
        "path": result.path,
        "release": result.release,
    }


def _annotation(number: int, result: ItemResult, region: Region) -> dict[str, Any]:
    x0, y0, x1, y1 = region.box.corners()
    return {
        "id": number,
        "image_id": result.ordinal + 1,
        "category_id": REGION_CATEGORY,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]],
        "iscrowd": 0,
        "reason": region.reason,
        "finding": region.finding,
        "crop_sha256": region.crop_sha256,
    }


def _json(value: object) -> str:
    return json_line(value).rstrip("\n")


def _separator(before: int) -> str:
    return ",\n" if before else "\n"
