"""Whose a folder of data is: nobody's, somebody else's, or that of the very build that would go on in it. Written in OUT/.build."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from worker.exports.whole_files import write_whole
from worker.moderation.errors import RejectedError

BUILD = Path(".build")
PLAN = BUILD / "plan.json"


def refuse_foreign(out: Path) -> None:
    """Returns for a folder that is new, empty or a build's. Raises RejectedError `out_taken` for any other."""
    if out.exists() and not out.is_dir():
        raise RejectedError("out_taken", f"{out} is not a folder. Name one that is new or empty.")
    if out.is_dir() and not (out / BUILD).is_dir() and any(out.iterdir()):
        raise RejectedError("out_taken", f"{out} holds something else. Name a folder that is new or empty.")


def claim(out: Path, identity: Mapping[str, object], begun_with: str, folders: Iterable[Path]) -> None:
    """Makes `out` that of the build of this identity, with `folders` in it, or sees that it is already.

    Raises RejectedError `out_of_another_build`, which says that other `begun_with` were at work; OSError.
    """
    path, body = out / PLAN, msgspec.json.encode(identity)
    if path.is_file() and path.read_bytes() != body:
        raise RejectedError("out_of_another_build", f"{out} was begun with other {begun_with}. Repeat those, or name another folder.")
    for folder in (BUILD, *folders):
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_whole(path, body)


def claimed_folders(folder: Path) -> frozenset[Path]:
    """`folder` and those below it that are a build's: what lies in them was made, not photographed."""
    return frozenset(path.parent.parent for path in folder.rglob(str(PLAN)))
