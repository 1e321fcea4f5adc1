"""Names what judges: everything that can change a score, under one hash."""

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from worker.moderation.calibration import band_facts
from worker.moderation.release import Release
from worker.vision.model import ModelCard
from worker.zoomin.prompts import PromptSet
from worker.zoomin.regions import CROP_MARGIN, LARGEST_SHARE, MOST_GROWTH, SAME_REGION_IOU, SMALLEST_CROP_SIDE, RegionChoice
from worker.zoomin.replies import scan_schema, zoom_schema


def name_release(card: ModelCard, prompts: PromptSet, choose: RegionChoice) -> Release:
    """The release of a model with its prompts, limits, region choice and calibration."""
    facts: dict[str, Any] = {
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
            "most_growth": MOST_GROWTH,
        },
        "pillow": version("pillow"),  # decodes and resamples: another version may give other pixels
        "calibration": asdict(card.calibration) if card.calibration else None,
    }
    if card.bands:  # of others a band changes nothing
        facts["degradation"] = band_facts(card.bands)
    return Release(card.name, card.training, facts)
