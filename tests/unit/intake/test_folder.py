from pathlib import Path

import pytest

from worker.intake.folder import find_images
from worker.moderation.errors import RejectedError

JPEG, PNG, WEBP = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"


def test_images_are_found_by_name_or_content_at_any_depth(tmp_path: Path) -> None:
    for name, body in {
        "b/deep/x.JPG": b"broken",
        "a.jpeg": JPEG,
        "no-name": WEBP,
        "text.txt": PNG,
        "notes.txt": b"x",
        "empty": b"",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    assert [path.as_posix() for path in find_images(tmp_path)] == ["a.jpeg", "b/deep/x.JPG", "no-name", "text.txt"]


def test_links_that_leave_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.jpg").write_bytes(JPEG)
    (folder / "real.jpg").write_bytes(JPEG)
    (folder / "alias.jpg").symlink_to(folder / "real.jpg")
    (folder / "file.jpg").symlink_to(outside / "secret.jpg")
    (folder / "dir").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.jpg").symlink_to(folder / "nothing.jpg")
    assert [path.as_posix() for path in find_images(folder)] == ["alias.jpg", "real.jpg"]


def test_a_folder_without_images_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RejectedError) as refused:
        find_images(tmp_path)
    assert refused.value.code == "folder_empty"
