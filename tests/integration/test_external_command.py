"""`zoomin dataset external` as a user runs it, on packages that lie on Python's path."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.cli.invoke import Ended, room_for, zoomin
from tests.unit.lab.photographs import draw_photograph
from tests.unit.lab.templates import install_templates
from worker.lab.dataset.external_pictures import GENERATORS
from worker.lab.labels import check_labels, read_labels

CHECKOUT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60
STEMS = list(GENERATORS)[:30]


def python_path(site: Path) -> str:
    return os.pathsep.join(filter(None, (str(site), str(CHECKOUT), os.environ.get("PYTHONPATH"))))


def packages_of(site: Path, size: tuple[int, int]) -> Path:
    """Packages with a picture of `size` for each of STEMS."""
    folder, *_ = install_templates(site)
    draw_photograph(1, size).save(site / "picture.webp")
    for stem in STEMS:
        shutil.copy(site / "picture.webp", folder / f"{stem}.webp")
    return site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages with small pictures."""
    return packages_of(tmp_path_factory.mktemp("packages"), (300, 280))


def collect(out: Path | str, *arguments: str, site: Path, home: Path, folder: Path | None = None) -> Ended:
    return zoomin("dataset", "external", str(out), *arguments, home=home, settings={"PYTHONPATH": python_path(site)}, folder=folder)


def test_the_empty_folder_one_stands_in_is_filled_and_found_done_the_next_time(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "here"
    out.mkdir()
    for _ in range(2):
        ended = collect(".", "--json", site=site, home=tmp_path, folder=out)
        assert ended.code == 0, ended.err
        assert f"saving pictures: {len(STEMS)} of {len(STEMS)}" in ended.err
        assert sum(json.loads(ended.out)["generators"].values()) == len(STEMS)
    labels = read_labels(out / "labels.jsonl")
    check_labels(labels, out)
    assert len(labels) == len(STEMS)
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_an_interrupt_keeps_what_is_done_and_the_same_command_goes_on(tmp_path: Path) -> None:
    site, out = packages_of(tmp_path / "site", (1200, 1000)), tmp_path / "out"
    command = [sys.executable, "-m", "worker.cli", "dataset", "external", str(out)]
    environment = {**os.environ, "ZOOMIN_HOME": str(tmp_path), "PYTHONPATH": python_path(site)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not list((out / "images").glob("*.jpg")):
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=DEADLINE_SECONDS)
    assert running.returncode == 130
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    done = {path.name: path.stat().st_ino for path in (out / "images").iterdir()}
    assert 1 <= len(done) < len(STEMS)
    for name in done:  # none that is still being written, and none cut short
        with Image.open(out / "images" / name) as image:
            image.load()
    assert not (out / "labels.jsonl").exists()
    ended = collect(out, site=site, home=tmp_path)
    assert ended.code == 0, ended.err
    assert f"{len(STEMS)} pictures by" in ended.out
    assert done.items() <= {path.name: path.stat().st_ino for path in (out / "images").iterdir()}.items()


def test_a_full_disk_leaves_nothing_half_written_and_the_same_command_goes_on(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with room_for(10_000):
        ended = collect(out, site=site, home=tmp_path)
    assert ended.code == 2
    assert ended.err == f"zoomin: {out}/images/{min(STEMS)}.jpg: File too large.\n"
    assert not list((out / "images").iterdir())
    assert collect(out, site=site, home=tmp_path).code == 0
    check_labels(read_labels(out / "labels.jsonl"), out)


def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_taken(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site")
    broken = next((tmp_path / "site").glob(f"*/templates/{STEMS[0]}.webp"))
    broken.write_bytes(broken.read_bytes()[:2_000])
    ended = collect(tmp_path / "out", site=tmp_path / "site", home=tmp_path)
    assert ended.code == 0, ended.err
    assert f"Left out: {broken.parent.parent.name}/{broken.name} cannot be read: " in ended.err
    assert f"{len(STEMS) - 1} pictures by" in ended.out
