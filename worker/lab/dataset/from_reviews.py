"""Makes data of what people decided: the very bytes that were judged, labelled as reviewers left them. Goes on where it stopped.

OUT/{train,validation,test}/labels.jsonl  images/<sha256>.{jpg,png,webp}      OUT/rejected.jsonl  card.md
OUT/.build: what it was begun with; an image that is there is whole, and is not fetched again
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from worker.exports.jsonl import json_line
from worker.exports.whole_files import write_whole
from worker.images.fetch import ObjectReader
from worker.lab.dataset.claim import claim, refuse_foreign
from worker.lab.dataset.making import IMAGES
from worker.lab.dataset.progress import BuildProgress
from worker.lab.dataset.reviewed import Refused, Sample
from worker.lab.dataset.selection import Split
from worker.lab.dataset.threads import results_as_they_come
from worker.lab.labels import written_label
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Verdict
from worker.moderation.settings import Settings
from worker.store.results import address_of

THREADS = 8  # fetches at once; they wait for the store, not for a core
LABELS, REJECTED, CARD = "labels.jsonl", "rejected.jsonl", "card.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was written: samples by split, and what was refused."""

    samples: tuple[Sample, ...]
    refused: tuple[Refused, ...]

    def counts(self) -> dict[str, Any]:
        """In numbers, by names that a card and machines share."""
        labels = [sample.label for sample in self.samples]
        return {
            "decisions": len(self.samples) + len(self.refused),
            "pictures": len(self.samples),
            "by_label": {verdict.value: sum(label.label is verdict for label in labels) for verdict in Verdict},
            "by_split": {split.value: sum(sample.split is split for sample in self.samples) for split in Split},
            "boxes": {
                "right": sum(len(sample.boxes.right) for sample in self.samples),
                "wrong": sum(len(sample.boxes.wrong) for sample in self.samples),
                "unjudged": sum(len(sample.boxes.unjudged) for sample in self.samples),
            },
            "reviewers": len(_pseudonyms(self.samples)),
            "rejected": dict(sorted(Counter(refused.code for refused in self.refused).items())),
        }


def begin(out: Path, identity: Mapping[str, object]) -> None:
    """Makes `out` this export's own. Raises RejectedError `out_taken`, `out_of_another_build`; OSError."""
    refuse_foreign(out)
    claim(out, identity, "options", [Path(split, IMAGES) for split in Split])


def export(
    found: Sequence[Sample | Refused], out: Path, storage: ObjectReader, settings: Settings, report: Callable[[BuildProgress], None]
) -> Export:
    """Fetches the pictures and writes `out`; what is there from an earlier run and no longer belongs goes.

    Raises TransientError, MisconfiguredError, OSError; a later run goes on.
    """

    def fetch(sample: Sample) -> Sample | Refused:
        path = out / sample.split / sample.label.file
        if not path.is_file():
            try:
                write_whole(path, _judged_bytes(sample, storage, settings))
            except RejectedError as error:
                return Refused(picture=sample.picture, code=error.code, message=error.message)
        return sample

    wanted = [each for each in found if isinstance(each, Sample)]
    fetched: list[Sample | Refused] = []
    report(BuildProgress(doing="fetching pictures", done=0, total=len(wanted)))
    for each in results_as_they_come(fetch, wanted, THREADS, threading.Event()):
        fetched.append(each)
        report(BuildProgress(doing="fetching pictures", done=len(fetched), total=len(wanted)))
    samples = sorted((each for each in fetched if isinstance(each, Sample)), key=lambda each: each.picture.decision_id)
    refused = [each for each in (*found, *fetched) if isinstance(each, Refused)]
    written = Export(samples=tuple(samples), refused=tuple(sorted(refused, key=lambda each: each.picture.decision_id)))
    _write(written, out)
    return written


def _judged_bytes(sample: Sample, storage: ObjectReader, settings: Settings) -> bytes:
    picture = sample.picture
    body = storage.get(
        picture.bucket,
        picture.key,
        picture.version_id,
        max_bytes=settings.fetch_max_bytes,
        timeout_seconds=settings.fetch_timeout_seconds,
    ).body
    if hashlib.sha256(body).hexdigest() != sample.sha256:
        raise RejectedError("object_changed", f"{address_of(picture.bucket, picture.key)} is no longer the picture that was judged.")
    return body


def _write(export: Export, out: Path) -> None:
    names = _pseudonyms(export.samples)
    for split in Split:
        samples = [sample for sample in export.samples if sample.split is split]
        _remove_others(out / split / IMAGES, {Path(sample.label.file).name for sample in samples})
        lines = [_line(sample, names) for sample in samples]
        write_whole(out / split / LABELS, msgspec.json.Encoder().encode_lines(lines))
    write_whole(out / REJECTED, "".join(json_line(_rejection(refused)) for refused in export.refused).encode())
    write_whole(out / CARD, _card(export.counts()).encode())


def _remove_others(folder: Path, names: set[str]) -> None:
    """Such as a picture that was erased, or decided otherwise, since the folder was begun."""
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()


def _line(sample: Sample, names: Mapping[str, str]) -> dict[str, object]:
    """The lab's label, and beside it what the lab lets be: the other boxes, and where all of it comes from."""
    picture = sample.picture
    return {
        **written_label(sample.label),
        "rejected": _corners(sample.boxes.wrong),
        "unjudged": _corners(sample.boxes.unjudged),
        "item": item_id(picture.batch_id, picture.ordinal),
        "revision": picture.revision,
        "release": picture.release,
        "policy": picture.policy_version,
        "decision": str(picture.decision_id),
        "basis": picture.basis,
        "decided_at": picture.decided_at.isoformat(),
        "reviews": [{"review": str(review.id), "task": review.task_id, "reviewer": names[review.reviewer]} for review in picture.reviews],
    }


def _rejection(refused: Refused) -> dict[str, object]:
    picture = refused.picture
    return {
        "item": item_id(picture.batch_id, picture.ordinal),
        "revision": picture.revision,
        "decision": str(picture.decision_id),
        "code": refused.code,
        "message": refused.message,
    }


def _pseudonyms(samples: Sequence[Sample]) -> dict[str, str]:
    """Reviewers by number, in the order in which they first decided: whoever has the data alone learns no name, nor can try one."""
    ordered = dict.fromkeys(review.reviewer for sample in samples for review in sample.picture.reviews)
    return {reviewer: f"reviewer-{number}" for number, reviewer in enumerate(ordered, 1)}


def _corners(boxes: Sequence[Box]) -> list[tuple[int, int, int, int]]:
    return [box.corners() for box in boxes]


def _card(counts: Mapping[str, Any]) -> str:
    shown = [
        f"- {name}: {', '.join(f'{n} {key}' for key, n in value.items()) or 'none'}"
        for name, value in counts.items()
        if isinstance(value, dict)
    ]
    return "\n".join(
        (
            "# Data card",
            "",
            "Pictures that people decided on, as they were judged: bytes untouched, metadata and all. `regions` are the model's boxes",
            "that reviewers accepted or moved, and those that they added; `rejected` are boxes of the model's that show nothing; of",
            "`unjudged` ones nobody spoke. More than half of the reviewers decide; what they could not settle, and all else that was",
            "left out, is in `rejected.jsonl`.",
            "",
            f"{counts['pictures']} pictures of {counts['decisions']} decisions, by {counts['reviewers']} reviewers.",
            "",
            *shown,
            "",
            "Erasing an image in ZoomIn does not reach this folder: run the same command again, and what was erased goes from here, too.",
            "",
        )
    )
