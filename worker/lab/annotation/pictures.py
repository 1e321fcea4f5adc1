"""What is annotated: labelled pictures of a folder, or a folder of pictures that are all known to be of one kind."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from worker.intake.folder import find_images
from worker.lab.dataset.claim import claimed_folders
from worker.lab.dataset.reviewed import UNKNOWN_GENERATOR
from worker.lab.labels import Label, read_labels
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict

LABELS = "labels.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Labels, and the folder that their files lie in. `sha256` is over labels and names: what a run was begun with."""

    folder: Path
    labels: tuple[Label, ...]
    sha256: str


def find_pictures(place: Path, label: Verdict | None, generator: str | None, limit: int | None) -> Pictures:
    """The pictures of a labels file, of a folder with one, or of a folder whose pictures are all `label`; at most `limit`, spread evenly.

    Raises RejectedError: folder_missing, folder_empty, label_missing, labels_empty, and those of a label; OSError.
    """
    file = place / LABELS if place.is_dir() else place
    if file.is_file():
        labels = read_labels(file)
        folder = file.parent
    else:
        labels = _alike(place, label, generator)
        folder = place
    labels = _spread(labels, limit)
    named = "\n".join(f"{each.file} {each.label} {each.generator} {each.control} {each.regions}" for each in labels)
    return Pictures(folder=folder, labels=labels, sha256=hashlib.sha256(named.encode()).hexdigest())


def _alike(folder: Path, label: Verdict | None, generator: str | None) -> tuple[Label, ...]:
    made = {path.relative_to(folder) for path in claimed_folders(folder)}  # DIR may lie below: what a run copied there is no new picture
    paths = [path for path in find_images(folder) if made.isdisjoint(path.parents)]
    if label is None:
        raise RejectedError(
            "label_missing",
            f"{folder} has no {LABELS}, and an explanation is asked for what a picture is known to be. Say --label real or --label "
            "generated, which then holds for all its pictures.",
        )
    made_by = (generator or UNKNOWN_GENERATOR) if label is Verdict.GENERATED else None
    return tuple(
        Label(file=path.as_posix(), label=label, regions=(), source=path.as_posix(), generator=made_by, control=False) for path in paths
    )


def _spread(labels: tuple[Label, ...], limit: int | None) -> tuple[Label, ...]:
    """Every so manieth: labels stand by photograph and kind, and the first few would be of one."""
    if limit is None or limit >= len(labels):
        return labels
    return tuple(labels[place * len(labels) // limit] for place in range(limit))
