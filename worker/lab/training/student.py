"""The checkpoint that is trained: its model, and everything about it that shapes a lesson."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from transformers import AutoConfig, Qwen2_5_VLForConditionalGeneration

from worker.images.resize import PixelLimits
from worker.lab.training.conversations import Speaker
from worker.lab.training.scenes import PROPOSALS
from worker.lab.training.tower import PatchFormat
from worker.lab.training.weights import load_weights
from worker.moderation.outcomes import Verdict
from worker.vision.checkpoint import Checkpoint, read_checkpoint
from worker.vision.conversation import ChatFormat
from worker.vision.nano.wording import LARGEST_MULTIPLE, Grade
from worker.zoomin.prompts import load_prompts

VERDICT_WEIGHT = 12.0  # of a verdict in the loss, a coordinate, a grade, and everything else, which is the same in every reply
COORDINATE_WEIGHT = 2.0
GRADE_WEIGHT = 1.5
FRAME_WEIGHT = 0.3
WAVES = 24  # of the coordinates' first embeddings
COORDINATE_SCALE = 0.09
NEIGHBOURHOOD = 0.8  # standard deviation, in steps, of the coordinates that count beside the right one: near is better than far


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """A checkpoint in training. What it says of tokens by name is for nano-shaped ones alone."""

    checkpoint: Checkpoint
    model: Any  # Qwen2_5_VLForConditionalGeneration
    speaker: Speaker
    patches: PatchFormat

    @classmethod
    def untrained(cls, folder: Path, seed: int) -> Self:
        """The checkpoint of `folder` with weights at their initial values. Raises MisconfiguredError."""
        checkpoint = read_checkpoint(folder)
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(AutoConfig.from_pretrained(folder))  # type: ignore[no-untyped-call]
        return cls._assembled(checkpoint, model, PROPOSALS)

    @classmethod
    def pretrained(cls, folder: Path) -> Self:
        """The checkpoint of `folder` with its own weights. Raises MisconfiguredError."""
        checkpoint = read_checkpoint(folder)
        return cls._assembled(checkpoint, load_weights(checkpoint), checkpoint.reply_limits.proposed_regions)

    @classmethod
    def _assembled(cls, checkpoint: Checkpoint, model: Any, proposals: int) -> Self:
        chat = ChatFormat.load(checkpoint)
        processor = chat.processor.image_processor
        speaker = Speaker(
            chat=chat,
            prompts=load_prompts(),
            coordinates=checkpoint.convention.coordinates,
            factor=checkpoint.convention.resize_factor,
            proposals=proposals,
        )
        patches = PatchFormat(
            patch=processor.patch_size,
            merge=processor.merge_size,
            temporal=processor.temporal_patch_size,
            mean=tuple(processor.image_mean),
            deviation=tuple(processor.image_std),
        )
        return cls(checkpoint=checkpoint, model=model, speaker=speaker, patches=patches)

    @property
    def features(self) -> int:
        """Width of an image token."""
        return int(self.model.config.text_config.hidden_size)

    @property
    def padding(self) -> int:
        """The id that fills up a batch."""
        return int(self.model.config.text_config.pad_token_id)

    @property
    def scan_limits(self) -> PixelLimits:
        """Of the whole image."""
        limits = self.checkpoint.limits
        return PixelLimits(self.speaker.factor, limits.scan_min_pixels, limits.scan_max_pixels)

    @property
    def crop_limits(self) -> PixelLimits:
        """Of a crop."""
        limits = self.checkpoint.limits
        return PixelLimits(self.speaker.factor, limits.crop_min_pixels, limits.crop_max_pixels)

    def token_weights(self) -> Tensor:
        """Each token's weight as a target (vocabulary): a verdict matters more than a brace."""
        weights = torch.full((self.model.config.text_config.vocab_size,), FRAME_WEIGHT)
        weights[self._coordinate_tokens()] = COORDINATE_WEIGHT
        for grade in Grade:
            weights[self.speaker.chat.encode_text(f'"{grade.name.lower()} traces')[1]] = GRADE_WEIGHT
            weights[self.speaker.chat.encode_text(f"sight {grade.name.lower()} traces")[-2]] = GRADE_WEIGHT
        for verdict in Verdict:
            weights[self.speaker.chat.encode_text(verdict.value)] = VERDICT_WEIGHT
        return weights

    def token_targets(self) -> Tensor:
        """What the loss takes each token to mean (vocabulary × vocabulary, rows sum to 1): itself; a coordinate, its neighbours too."""
        targets = torch.eye(self.model.config.text_config.vocab_size)
        coordinates = torch.tensor(self._coordinate_tokens())
        steps = torch.arange(len(coordinates))
        near = torch.exp(-(((steps[:, None] - steps) / NEIGHBOURHOOD) ** 2) / 2)
        targets[coordinates[:, None], coordinates] = near / near.sum(1, keepdim=True)
        return targets

    def order_coordinates(self) -> None:
        """Gives neighbouring coordinates neighbouring embeddings: waves of several lengths, turned at random."""
        table = self.model.get_input_embeddings().weight
        width = table.shape[1]
        turned, _ = torch.linalg.qr(torch.randn(width, width))
        steps = torch.arange(LARGEST_MULTIPLE + 1)[:, None] * math.pi * torch.arange(1, WAVES + 1) / (2 * WAVES)
        codes = torch.zeros(LARGEST_MULTIPLE + 1, width)
        codes[:, : 2 * WAVES : 2], codes[:, 1 : 2 * WAVES : 2] = steps.cos(), steps.sin()
        with torch.no_grad():
            table[self._coordinate_tokens()] = COORDINATE_SCALE * codes @ turned.T + COORDINATE_SCALE / 3 * torch.randn(width)

    def _coordinate_tokens(self) -> list[int]:
        return [self.speaker.chat.encode_text(str(self.speaker.factor * multiple))[0] for multiple in range(LARGEST_MULTIPLE + 1)]
