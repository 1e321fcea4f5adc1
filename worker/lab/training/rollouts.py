"""Groups of replies to one question each, and what they earned. Asked as the pipeline asks, of true pictures: scan, cut, zoom.

The zoom is asked about the regions of one of the scan's own replies: a policy must learn to judge what it really gets to see.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from worker.images.prepare import Crop, ScanImage, cut_crops, prepare_scan
from worker.images.resize import PixelLimits
from worker.lab.labels import Label
from worker.lab.training.policy import Policy, Prompt, Reply
from worker.lab.training.rewards import Rewards, reward_scan, reward_zoom
from worker.lab.training.sight import drawn_shares
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.vision.model import Coordinates, ImagePart, Turn
from worker.vision.nano.wording import Grade, grade, zoom_reply
from worker.zoomin.prompts import PromptSet
from worker.zoomin.regions import crop_box, in_model_coordinates, in_original_pixels, scan_boxes
from worker.zoomin.replies import ProposedRegion, ScanReply, UnreadableReplyError, read_scan, without_verdict
from worker.zoomin.scan import scan_turns
from worker.zoomin.zoom import zoom_turns

CERTAIN = 0.075  # least and most share of a crop that is drawn, for its log-odds: ±2.5, well inside the outer grades


@dataclass(frozen=True, slots=True)
class Group:
    """Replies to one prompt, and what each earned."""

    prompt: Prompt
    replies: Sequence[Reply]
    rewards: Sequence[Rewards]

    @property
    def earned(self) -> list[float]:
        """Each reply's parts together: they all count alike."""
        return [sum(reward.values()) for reward in self.rewards]

    def said(self, device: torch.device) -> Tensor:
        """Where each reply has tokens: replies × longest (bool)."""
        lengths = torch.tensor([len(reply.ids) for reply in self.replies], device=device)
        return torch.arange(int(lengths.max()), device=device) < lengths[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Puts both questions to a policy, `replies` times each. Labelled pictures lie in `folder`."""

    policy: Policy
    prompts: PromptSet
    folder: Path
    replies: int

    def examine(self, label: Label, generator: torch.Generator) -> list[Group]:
        """The scan's group and the zoom's; the scan's alone when none of its replies can be read.

        Raises RejectedError for a picture that does not decode; OSError.
        """
        body = (self.folder / label.file).read_bytes()
        limits = self.policy.checkpoint.reply_limits
        try:
            image = prepare_scan(body, self._scan_limits)
        except RejectedError as error:
            raise RejectedError(error.code, f"{self.folder / label.file}: {error.message}") from None
        whole = ImagePart(uuid=image.evidence.facts.sha256, pixels=image.pixels)
        turns = scan_turns(whole, self.prompts, limits.proposed_regions, self._coordinates)
        prompt = self.policy.prompt(turns, self.policy.scan_guide, self.policy.checkpoint.limits.scan_max_tokens)
        replies = self.policy.sample(prompt, self.replies, generator)
        true = [self._told(box, image) for box in label.regions]
        scan = Group(prompt, replies, [reward_scan(reply.text, true, limits) for reply in replies])
        read = _first_read(replies)
        return [scan] if read is None else [scan, self._zoom(label, body, image, turns, *read, generator)]

    def _zoom(
        self, label: Label, body: bytes, image: ScanImage, turns: Sequence[Turn], reply: Reply, scan: ScanReply, generator: torch.Generator
    ) -> Group:
        regions, crops = self._cut(scan, body, image)
        told = [
            (self._told(region.box, image), ImagePart(uuid=crop.evidence.facts.sha256, pixels=crop.pixels))
            for region, crop in zip(regions, crops, strict=True)
        ]
        said = reply.text if self.prompts.zoom_shows_scan_verdict else without_verdict(reply.text)
        asked = zoom_turns(turns, said, told, self.prompts)
        prompt = self.policy.prompt(asked, self.policy.zoom_guide, self.policy.checkpoint.limits.zoom_max_tokens)
        replies = self.policy.sample(prompt, self.replies, generator)
        reference = reference_explanation([grade_of(crop.box, drawn_boxes(label, image.original)) for crop in crops], label.label)
        return Group(prompt, replies, [reward_zoom(zoomed.text, label.label, reference) for zoomed in replies])

    def _cut(self, scan: ScanReply, body: bytes, image: ScanImage) -> tuple[Sequence[ProposedRegion], Sequence[Crop]]:
        proposed = [in_original_pixels(region, self._coordinates, image.sent, image.original) for region in scan.regions]
        regions = scan_boxes(proposed, image.original, self.policy.checkpoint.reply_limits.zoomed_regions)
        boxes = [crop_box(region.box, image.original, self._crop_limits) for region in regions]
        return regions, cut_crops(body, boxes, self._crop_limits) if boxes else ()

    def _told(self, box: Box, image: ScanImage) -> Box:
        return in_model_coordinates(box, self._coordinates, image.sent, image.original)

    @property
    def _coordinates(self) -> Coordinates:
        return self.policy.checkpoint.convention.coordinates

    @property
    def _scan_limits(self) -> PixelLimits:
        limits = self.policy.checkpoint.limits
        return PixelLimits(self.policy.checkpoint.convention.resize_factor, limits.scan_min_pixels, limits.scan_max_pixels)

    @property
    def _crop_limits(self) -> PixelLimits:
        limits = self.policy.checkpoint.limits
        return PixelLimits(self.policy.checkpoint.convention.resize_factor, limits.crop_min_pixels, limits.crop_max_pixels)


def drawn_boxes(label: Label, size: Size) -> tuple[Box, ...]:
    """What a network drew of a picture of `size`: regions, all of it, or nothing."""
    if label.label is Verdict.REAL:
        return ()
    return label.regions or (Box(0, 0, size.width, size.height),)


def grade_of(crop: Box, drawn: Sequence[Box]) -> Grade:
    """How strong the traces in a crop should be called: by the share of it that was drawn."""
    share = min(max(float(drawn_shares(drawn, crop, (1, 1))[0, 0]), CERTAIN), 1 - CERTAIN)
    return grade(math.log(share / (1 - share)))


def reference_explanation(grades: Sequence[Grade], verdict: Verdict) -> str:
    """What the zoom's explanation is compared with: the sentence that it was taught for such crops."""
    return str(json.loads(zoom_reply(grades, verdict))["explanation"])


def _first_read(replies: Sequence[Reply]) -> tuple[Reply, ScanReply] | None:
    for reply in replies:
        try:
            return reply, read_scan(reply.text)
        except UnreadableReplyError:
            continue
    return None
