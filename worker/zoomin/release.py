"""Names what judges: everything that can change a score, under one hash."""

from importlib.metadata import version

from worker.moderation.release import Release
from worker.vision.model import ModelCard
from worker.zoomin.prompts import PromptSet
from worker.zoomin.regions import CROP_MARGIN, LARGEST_SHARE, SAME_REGION_IOU, SMALLEST_CROP_SIDE, RegionChoice
from worker.zoomin.replies import scan_schema, zoom_schema


def name_release(card: ModelCard, prompts: PromptSet, choose: RegionChoice) -> Release:
    """The release of a model with its prompts, limits and region choice. No release carries a calibration yet."""
    facts = {
        "model": dict(card.facts),
        "coordinates": card.coordinates.value,
        "pixels": {
            "factor": card.resize_factor,
            "scan": [card.scan_min_pixels, card.scan_max_pixels],
            "crop": [card.crop_min_pixels, card.crop_max_pixels],
        },
        "max_tokens": {"scan": card.scan_max_tokens, "zoom": card.zoom_max_tokens},
        "schemas": {"scan": scan_schema(card.reply_limits), "zoom": zoom_schema(card.reply_limits)},
        "prompts": {"version": prompts.version, "sha256": prompts.sha256},
        "regions": {
            "choice": getattr(choose, "__name__", type(choose).__name__),
            "margin": CROP_MARGIN,
            "largest_share": LARGEST_SHARE,
            "same_iou": SAME_REGION_IOU,
            "smallest_side": SMALLEST_CROP_SIDE,
        },
        "pillow": version("pillow"),  # decodes and resamples: another version may give other pixels
        "calibration": None,
    }
    return Release(card.name, card.training, facts)
