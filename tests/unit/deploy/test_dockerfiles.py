"""deploy/Dockerfile.*: pinned, without root, without an installer, and of files that exist."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from worker.queue.configuration import SCAN_WORKER_QUEUES

ROOT = Path(__file__).parents[3]
DOCKERFILES = sorted((ROOT / "deploy").glob("Dockerfile.*"))
PINNED = re.compile(r"[a-z0-9./-]+:\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}")

every_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.suffix)


def instructions(path: Path) -> list[tuple[str, str]]:
    """(keyword, rest) of every instruction, in order."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(keyword, rest) for keyword, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def last(path: Path, keyword: str) -> str:
    """The instruction that is in force at the end."""
    return [rest for word, rest in instructions(path) if word == keyword][-1]


def final_stage(path: Path) -> list[tuple[str, str]]:
    """The instructions of the image itself."""
    stages = instructions(path)
    return stages[max(index for index, (keyword, _) in enumerate(stages) if keyword == "FROM") :]


def test_there_is_an_image_for_every_process() -> None:
    assert [path.suffix for path in DOCKERFILES] == [".api", ".control", ".worker-cpu", ".worker-gpu"]


@every_dockerfile
def test_base_images_are_pinned_and_the_same(path: Path) -> None:
    bases = {rest.split(" AS ")[0] for keyword, rest in instructions(path) if keyword == "FROM"}
    everywhere = {rest.split(" AS ")[0] for other in DOCKERFILES for keyword, rest in instructions(other) if keyword == "FROM"}
    assert all(PINNED.fullmatch(base) for base in bases)
    assert bases == everywhere


@every_dockerfile
def test_the_image_does_not_run_as_root(path: Path) -> None:
    user = last(path, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.split(':')[0]} " in dict(final_stage(path))["RUN"]


@every_dockerfile
def test_packages_are_installed_by_hash_and_before_the_image(path: Path) -> None:
    lock = f"requirements{path.suffix}.lock"
    commands = " ".join(rest for keyword, rest in instructions(path) if keyword == "RUN")
    assert f"--no-deps --require-hashes -r {lock}" in commands
    assert "--without-pip" in commands
    assert not any("pip" in rest for keyword, rest in final_stage(path) if keyword == "RUN")


@every_dockerfile
def test_only_the_gpu_image_holds_a_compiler(path: Path) -> None:
    system = re.findall(r"--no-install-recommends ([^&]+?) &&", " ".join(rest for _, rest in final_stage(path)))
    expected = {".worker-cpu": ["libnuma1"], ".worker-gpu": ["g++ libc6-dev libnuma1"]}
    assert system == expected.get(path.suffix, [])


@every_dockerfile
def test_what_is_copied_exists_and_is_let_through(path: Path) -> None:
    admitted = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for keyword, rest in instructions(path) if keyword == "COPY" and "--from=" not in rest for word in rest.split()[:-1]]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, rule) or source.startswith(f"{rule}/") for rule in admitted), source


@every_dockerfile
def test_the_process_gets_signals_and_is_asked_for_its_health(path: Path) -> None:
    assert last(path, "STOPSIGNAL") == "SIGTERM"
    assert isinstance(json.loads(last(path, "CMD")), list)  # exec form: a shell would keep the signal to itself
    probe = json.loads(last(path, "HEALTHCHECK").partition("CMD ")[2])
    port = last(path, "EXPOSE")
    assert f"http://127.0.0.1:{port}/" in probe[-1]


@pytest.mark.parametrize("image", ["worker-cpu", "worker-gpu"])
def test_workers_are_started_as_vllm_needs_it(image: str) -> None:
    command = json.loads(last(ROOT / "deploy" / f"Dockerfile.{image}", "CMD"))
    assert command[:7] == ["python", "-m", "celery", "-A", "worker", "worker", "-P"]
    assert command[7:10] == ["threads", "-Q", ",".join(SCAN_WORKER_QUEUES)]  # the setting ZOOMIN_CHUNKS_IN_FLIGHT says how many
