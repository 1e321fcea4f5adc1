"""Versioned prompts: data files, one folder a version. A changed file is a new version, since it can change a score."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from worker.moderation.boxes import Box, Size
from worker.vision.model import Coordinates

LATEST = "v1"
TEXTS = ("system", "scan", "zoom", "second_look", "region")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSet:
    """The texts of one version. Nothing of a tenant, file name or metadata ever enters them."""

    version: str
    sha256: str  # over all files: part of the release
    zoom_shows_scan_verdict: bool  # false: the zoom is not anchored on the scan's opinion
    units: dict[str, str]
    system: str
    scan_template: str
    zoom: str
    second_look: str
    region_template: str

    def scan(self, sent: Size, limit: int, coordinates: Coordinates) -> str:
        """The scan's prompt for an image sent at `sent` pixels."""
        return self.scan_template.format(width=sent.width, height=sent.height, limit=limit, unit=self.units[coordinates.value])

    def region(self, number: int, box: Box) -> str:
        """The label in front of a crop; `box` in the coordinates that the scan used."""
        return self.region_template.format(number=number, box=list(box.corners()))


@cache
def load_prompts(version: str = LATEST) -> PromptSet:
    """The prompt set of a version; FileNotFoundError for an unknown one."""
    folder = files(__name__) / version
    texts = {name: (folder / f"{name}.txt").read_text("utf-8").strip() for name in TEXTS}
    settings = json.loads((folder / "prompt_set.json").read_text("utf-8"))
    digest = hashlib.sha256(json.dumps([texts, settings], sort_keys=True).encode()).hexdigest()
    return PromptSet(
        version=version,
        sha256=digest,
        zoom_shows_scan_verdict=settings["zoom_shows_scan_verdict"],
        units=settings["units"],
        system=texts["system"],
        scan_template=texts["scan"],
        zoom=texts["zoom"],
        second_look=texts["second_look"],
        region_template=texts["region"],
    )
