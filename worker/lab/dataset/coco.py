"""COCO object detection, for tools that show or annotate boxes."""

from collections.abc import Sequence
from itertools import count

import msgspec

from worker.lab.dataset.making import Picture

GENERATED, INTERPOLATED = 1, 2
CATEGORIES = [
    {"id": GENERATED, "name": "generated", "supercategory": "region"},
    {"id": INTERPOLATED, "name": "interpolated", "supercategory": "region"},
]
INFO = {"description": "Regions drawn by networks, and interpolated controls; boxes in pixels of the picture", "version": "1"}


def coco_json(pictures: Sequence[Picture]) -> bytes:
    """One COCO object. Image and annotation ids count from 1, in the order of `pictures`."""
    annotation_ids = count(1)
    images, annotations = [], []
    for number, picture in enumerate(pictures, 1):
        label = picture.label
        images.append(
            {
                "id": number,
                "file_name": label.file,
                "width": picture.size.width,
                "height": picture.size.height,
                "label": label.label,
                "generator": label.generator,
            }
        )
        for box in label.regions:
            x0, y0, x1, y1 = box.corners()
            annotations.append(
                {
                    "id": next(annotation_ids),
                    "image_id": number,
                    "category_id": INTERPOLATED if label.control else GENERATED,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]],
                    "iscrowd": 0,
                }
            )
    return msgspec.json.encode({"info": INFO, "licenses": [], "categories": CATEGORIES, "images": images, "annotations": annotations})
