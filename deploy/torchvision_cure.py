"""Makes a CUDA build of torchvision importable beside a CPU build of torch: `make setup` runs it with the environment's python.

PyPI's torchvision is a CUDA build. Beside a CPU torch its native library does not load, and importing it dies with "operator
torchvision::nms does not exist", though the image transforms that Qwen2.5-VL's processor needs are plain Python. The cure declares
the missing operators (without an implementation: nothing here calls them) just before torchvision is imported. vLLM starts child
interpreters, so it lives in the environment: a `.pth` that installs an import hook, a few microseconds per interpreter start.

Where torchvision imports as it is, nothing is installed, and an earlier cure is removed.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

SYMPTOM = "operator torchvision::nms does not exist"
MODULE = "zoomin_torchvision_cure"
HOOK = '''\
"""Installed by zoomin's deploy/torchvision_cure.py, which says why. Declares torchvision's native operators on its first import."""

import importlib.machinery
import sys

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
libraries = []  # declarations live as long as their library


def declare_operators():
    """Declares the operators, once."""
    import torch

    if not libraries:
        library = torch.library.Library("torchvision", "DEF")
        for operator in OPERATORS:
            library.define(operator)
        libraries.append(library)


class TorchvisionFinder:
    """Finds torchvision where it is, and declares its operators before its code runs. Looking for it imports nothing."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "torchvision":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def declare_and_execute(module):
                declare_operators()
                execute(module)

            spec.loader.exec_module = declare_and_execute
        return spec


sys.meta_path.insert(0, TorchvisionFinder)
'''


def import_torchvision(site_packages: Path, *, with_hooks: bool) -> str | None:
    """None when a fresh interpreter imports torchvision, else what it said. Without hooks, `.pth` files are not read."""
    program = f"import sys; sys.path.append({str(site_packages)!r}); import torchvision"
    command = [sys.executable, *([] if with_hooks else ["-S"]), "-c", program]
    trial = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter
    return None if trial.returncode == 0 else trial.stderr.strip()


def cure(site_packages: Path) -> str:
    """What was done, in one sentence. Raises SystemExit where torchvision fails for another reason, or still fails."""
    hook, pth = site_packages / f"{MODULE}.py", site_packages / f"{MODULE}.pth"
    failure = import_torchvision(site_packages, with_hooks=False)
    if failure is None:
        cured_before = pth.exists()
        pth.unlink(missing_ok=True)
        hook.unlink(missing_ok=True)
        return "torchvision imports as it is: " + ("an earlier cure was removed." if cured_before else "nothing to do.")
    if SYMPTOM not in failure:
        raise SystemExit(f"torchvision cannot be imported, and not for the reason this cures:\n{failure}")
    known = pth.exists() and hook.exists() and hook.read_text() == HOOK
    hook.write_text(HOOK)  # before the .pth that names it
    pth.write_text(f"import {MODULE}\n")
    if still := import_torchvision(site_packages, with_hooks=True):
        raise SystemExit(f"torchvision still cannot be imported with the cure in {hook}:\n{still}")
    done = "the cure is in place" if known else "cured by an import hook"
    return f"torchvision was built for CUDA and torch was not: {done} ({hook.name})."


if __name__ == "__main__":
    sys.stdout.write(cure(Path(sysconfig.get_path("purelib"))) + "\n")
