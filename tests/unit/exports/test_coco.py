import io
import json
from typing import Any

from tests.unit.exports.builders import REGION, failed, judged, pending
from worker.exports.coco import write_coco
from worker.moderation.boxes import Size
from worker.store.results import ItemResult


def coco_of(*results: ItemResult) -> Any:
    out = io.StringIO()
    written = write_coco(results, out)
    document = json.loads(out.getvalue())
    assert written == len(document["images"])
    return document


def test_the_document_has_every_section_and_consistent_ids() -> None:
    document = coco_of(judged(), failed(), pending(), judged(ordinal=3, custom_id="fox.jpg", regions=(REGION, REGION)))
    assert set(document) == {"info", "licenses", "categories", "images", "annotations"}
    images = {image["id"] for image in document["images"]}
    categories = {category["id"] for category in document["categories"]}
    assert images == {1, 4}
    assert [annotation["id"] for annotation in document["annotations"]] == [1, 2, 3]
    assert {annotation["image_id"] for annotation in document["annotations"]} == images
    assert {annotation["category_id"] for annotation in document["annotations"]} <= categories


def test_boxes_are_corner_and_size_inside_the_image() -> None:
    document = coco_of(judged())
    (annotation,) = document["annotations"]
    assert annotation["bbox"] == [10, 20, 100, 50]
    assert annotation["area"] == 100 * 50
    assert annotation["segmentation"] == [[10, 20, 110, 20, 110, 70, 10, 70]]
    assert (document["images"][0]["width"], document["images"][0]["height"]) == (640, 480)


def test_an_image_without_regions_has_no_annotations() -> None:
    document = coco_of(judged(regions=()))
    assert len(document["images"]) == 1
    assert document["annotations"] == []


def test_images_never_decoded_stay_out() -> None:
    assert [image["file_name"] for image in coco_of(failed(), pending(), failed(size=Size(10, 10)))["images"]] == ["dog.jpg"]


def test_nothing_is_a_valid_document() -> None:
    document = coco_of()
    assert document["images"] == []
    assert document["annotations"] == []
