"""The packages that `zoomin dataset external` takes its pictures from, installed as pip does, with nothing in them yet."""

from pathlib import Path

from worker.lab.dataset.external_pictures import PACKAGES

VERSION = "1.2"


def install_templates(site: Path, version: str = VERSION) -> list[Path]:
    """The folders of pictures below `site`, which is for Python's path. A package that is imported fails."""
    folders = [site / package.replace("-", "_") / "templates" for package in PACKAGES]
    for package, folder in zip(PACKAGES, folders, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "__init__.py").write_text("raise AssertionError('found, never run')\n")
        facts = site / f"{package.replace('-', '_')}-{VERSION}.dist-info" / "METADATA"
        facts.parent.mkdir(exist_ok=True)
        facts.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    return folders
