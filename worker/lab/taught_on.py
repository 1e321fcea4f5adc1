"""What a checkpoint has seen, so that figures on the same photographs do not pass for figures on unseen ones.

FOLDER/taught_on.jsonl, one data set a line: {"labels_sha256": "5551…", "photographs": ["03f9a1b2c4d5", …]}. No model file: it changes no
score, and no release. A calibration's own pictures stand in the card, under `fitted_on`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.exports.whole_files import write_whole
from worker.lab.labels import Label, read_labels
from worker.moderation.errors import MisconfiguredError
from worker.vision.checkpoint import CARD_FILE

TAUGHT_ON = "taught_on.jsonl"
DIGEST_CHARS = 12  # of the sha256 of a label's `source`: 48 bits, and 8 kB for 519 photographs


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Labelled pictures: the sha256 of their labels file, and a digest of each photograph; none where they were not noted."""

    labels_sha256: str
    photographs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """All that shaped a checkpoint's scores, as far as it was noted."""

    taught: tuple[Seen, ...] = ()
    calibrated: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Sources of labels that a checkpoint was `taught` or `calibrated` on, by name."""

    taught: tuple[str, ...]
    calibrated: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.taught or self.calibrated)

    @property
    def warning(self) -> str:
        """What readers of figures must know; empty where nothing was seen before."""
        told = []
        if self.taught:
            told.append(f"{len(self.taught)} of the photographs taught this model: figures on them say nothing of unseen ones.")
        if self.calibrated:
            told.append(f"{len(self.calibrated)} of the photographs calibrated it: its calibration error here is too low.")
        return " ".join(told)


NOTHING_SEEN = Overlap(taught=(), calibrated=())


def overlap(past: Past, labels: Sequence[Label], labels_sha256: str) -> Overlap:
    """Which sources of `labels`, read from a file of `labels_sha256`, are no longer unseen."""
    sources = sorted({label.source for label in labels})
    return Overlap(taught=_known(past.taught, sources, labels_sha256), calibrated=_known(past.calibrated, sources, labels_sha256))


def read_past(checkpoint: Path) -> Past:
    """The past of the checkpoint in a folder; empty where nothing was noted. Raises MisconfiguredError for a damaged note; OSError."""
    note, card = checkpoint / TAUGHT_ON, checkpoint / CARD_FILE
    try:
        taught = [_seen(json.loads(line)) for line in note.read_text(encoding="utf-8").splitlines()] if note.is_file() else []
    except (ValueError, KeyError, TypeError):
        raise MisconfiguredError("model_past_damaged", f"{note} cannot be read. Restore it from where the checkpoint was made.") from None
    calibration = json.loads(card.read_text(encoding="utf-8")).get("calibration") if card.is_file() else None
    fitted_on = (calibration or {}).get("fitted_on", {})
    return Past(taught=tuple(taught), calibrated=(_seen(fitted_on),) if "labels_sha256" in fitted_on else ())


def write_taught_on(checkpoint: Path, taught: Iterable[Seen]) -> None:
    """Notes beside the weights what they were taught on. Raises OSError."""
    lines = [json.dumps({"labels_sha256": seen.labels_sha256, "photographs": sorted(seen.photographs)}) + "\n" for seen in taught]
    write_whole(checkpoint / TAUGHT_ON, "".join(lines).encode())


def seen_in(labels_file: Path) -> Seen:
    """The pictures of a labels file. Raises RejectedError; OSError."""
    sources = {label.source for label in read_labels(labels_file)}
    return Seen(labels_sha256=hashlib.sha256(labels_file.read_bytes()).hexdigest(), photographs=frozenset(map(digest_of, sources)))


def digest_of(source: str) -> str:
    """A photograph in a few characters, by the `source` of its labels."""
    return hashlib.sha256(source.encode()).hexdigest()[:DIGEST_CHARS]


def _known(seen: Sequence[Seen], sources: Sequence[str], labels_sha256: str) -> tuple[str, ...]:
    if any(each.labels_sha256 == labels_sha256 for each in seen):
        return tuple(sources)
    photographs = frozenset[str]().union(*(each.photographs for each in seen))
    return tuple(source for source in sources if digest_of(source) in photographs)


def _seen(noted: Mapping[str, Any]) -> Seen:
    return Seen(labels_sha256=noted["labels_sha256"], photographs=frozenset(noted.get("photographs", ())))
