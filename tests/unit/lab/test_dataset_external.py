import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.lab.photographs import draw_photograph
from worker.lab.dataset.external import collect_external
from worker.lab.dataset.external_pictures import GENERATORS, PACKAGES
from worker.lab.labels import check_labels, read_labels
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import Verdict


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The packages' folders of pictures, installed as pip does, with nothing in them yet."""
    site = tmp_path / "site"
    folders = [site / package.replace("-", "_") / "templates" for package in PACKAGES]
    for package, folder in zip(PACKAGES, folders, strict=True):
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        facts = site / f"{package.replace('-', '_')}-1.2.dist-info" / "METADATA"
        facts.parent.mkdir()
        facts.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(site)
    yield folders
    assert not {package.replace("-", "_") for package in PACKAGES} & set(sys.modules)  # found, never run


def test_known_pictures_are_taken_with_their_generator_and_nothing_else(templates: list[Path], tmp_path: Path) -> None:
    picture = draw_photograph(1, (300, 280))
    for folder, stem in zip(templates, ("image_z_image-1", "sdxl_simple_example-1", "api_krea2_t2i-1"), strict=True):
        picture.save(folder / f"{stem}.webp")
    picture.save(templates[0] / "audio_stable_audio_example-1.webp")  # not one we know
    draw_photograph(2, (255, 400)).save(templates[0] / "hidream_i1_dev-1.webp")  # too small
    picture.save(templates[0] / "flux1_krea_dev-1.webp", save_all=True, append_images=[draw_photograph(3, (300, 280))])  # animated
    assert collect_external(tmp_path / "out") == {"z-image": 1, "sdxl": 1, "krea-2": 1}
    labels = read_labels(tmp_path / "out" / "labels.jsonl")
    check_labels(labels, tmp_path / "out")
    assert {(label.label, label.generator, label.regions) for label in labels} == {
        (Verdict.GENERATED, generator, ()) for generator in ("z-image", "sdxl", "krea-2")
    }
    assert len(list((tmp_path / "out" / "images").iterdir())) == 3
    with Image.open(tmp_path / "out" / "contact-sheet.jpg") as sheet:
        sheet.load()
    assert f"{PACKAGES[0]} 1.2" in (tmp_path / "out" / "card.md").read_text()
    assert not (tmp_path / ".out.part").exists()


def test_without_the_packages_it_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match=f"pip install {PACKAGES[0]}"):
        collect_external(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_packages_with_other_names_inside_are_an_error_and_leave_nothing(templates: list[Path], tmp_path: Path) -> None:
    draw_photograph(1, (300, 280)).save(templates[0] / "renamed.webp")
    with pytest.raises(RejectedError, match="names have changed"):
        collect_external(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_that_holds_something_else_is_refused_untouched(templates: list[Path], tmp_path: Path) -> None:
    (tmp_path / "site" / "thesis.tex").write_text("years of work")
    with pytest.raises(RejectedError, match="holds something else"):
        collect_external(tmp_path / "site")
    assert (tmp_path / "site" / "thesis.tex").read_text() == "years of work"


def test_only_first_pictures_of_templates_are_known() -> None:
    assert all(stem.endswith("-1") for stem in GENERATORS)
