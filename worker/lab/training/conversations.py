"""The second stage's samples: the conversations that the pipeline would hold, as token ids, with what the model must learn to say.

Turns, prompts, chat template and tokenizer are the pipeline's own. Image placeholders are widened to one id per merged token, and
positions follow Qwen2.5-VL's M-RoPE (Qwen2.5-VL report, arXiv 2502.13923, section 2.1.2), as the engine computes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worker.moderation.boxes import Box, Size
from worker.vision.conversation import ChatFormat
from worker.vision.model import Coordinates, ImagePart, Turn
from worker.zoomin.prompts import PromptSet
from worker.zoomin.replies import without_verdict
from worker.zoomin.scan import scan_turns
from worker.zoomin.zoom import zoom_turns

Grid = tuple[int, int]  # rows, columns of merged tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """`ids` (length), `positions` 3 × length, `learnt` (length): tokens whose prediction counts. `grids` of the images, in order."""

    ids: np.ndarray
    positions: np.ndarray
    learnt: np.ndarray
    grids: tuple[Grid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """What of a checkpoint shapes its conversations."""

    chat: ChatFormat
    prompts: PromptSet
    coordinates: Coordinates
    factor: int
    proposals: int

    def scan(self, whole: ImagePart, reply: str) -> Conversation:
        """The first query, answered."""
        turns = scan_turns(whole, self.prompts, self.proposals, self.coordinates)
        return self._answered(turns, reply, (whole,))

    def zoom(
        self, whole: ImagePart, scan_reply: str, crops: Sequence[tuple[Box, ImagePart]], reply: str, *, learn_scan: bool = False
    ) -> Conversation:
        """The second query, answered; boxes in the model's coordinates. With `learn_scan`, what it quotes of the scan is learnt too."""
        said = scan_reply if self.prompts.zoom_shows_scan_verdict else without_verdict(scan_reply)
        scanned = scan_turns(whole, self.prompts, self.proposals, self.coordinates)
        before, quoted = len(self.chat.encode(scanned)), len(self.chat.encode_text(said))  # the turn's end is not the scan's to say
        turns = zoom_turns(scanned, said, crops, self.prompts)
        return self._answered(turns, reply, (whole, *(part for _, part in crops)), range(before, before + quoted * learn_scan))

    def _answered(self, turns: Sequence[Turn], reply: str, images: Sequence[ImagePart], learnt: range = range(0)) -> Conversation:
        asked = self.chat.encode(turns)
        answered = [*self.chat.encode_text(reply), self.chat.end_of_turn]
        grids = tuple(self._grid(Size(*image.pixels.size)) for image in images)
        return widen(asked, answered, grids, self.chat.image_token, learnt)

    def _grid(self, sent: Size) -> Grid:
        return sent.height // self.factor, sent.width // self.factor


def widen(asked: Sequence[int], answered: Sequence[int], grids: Sequence[Grid], image_token: int, learnt: range = range(0)) -> Conversation:
    """Replaces each image's placeholder by its tokens, and gives every token its place. Raises ValueError when counts differ.

    The tokens of `asked` in the range `learnt` are learnt beside those of `answered`.
    """
    if asked.count(image_token) != len(grids):
        raise ValueError(f"{asked.count(image_token)} placeholders for {len(grids)} images")
    ids: list[np.ndarray] = []
    places: list[np.ndarray] = []
    counts: list[bool] = []
    remaining = iter(grids)
    start = 0
    for number, token in enumerate((*asked, *answered)):
        if token == image_token:
            rows, columns = next(remaining)
            ids.append(np.full(rows * columns, token))
            counts += [False] * (rows * columns)
            places.append(start + np.stack([np.zeros(rows * columns, int), *np.indices((rows, columns)).reshape(2, -1)]))
            start += max(rows, columns)
        else:
            ids.append(np.asarray([token]))
            places.append(np.full((3, 1), start))
            counts.append(number >= len(asked) or number in learnt)
            start += 1
    return Conversation(ids=np.concatenate(ids), positions=np.concatenate(places, axis=1), learnt=np.asarray(counts), grids=tuple(grids))
