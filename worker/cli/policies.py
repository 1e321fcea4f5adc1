"""`zoomin policies …`: versions of thresholds: write, watch, back-test, promote."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.batches import JsonOption, parse_batch
from worker.cli.endings import Commands
from worker.cli.terminal import console, people_watch, report, say

if TYPE_CHECKING:
    from worker.cli.installation.asking import Policies
    from worker.store.models.policies import VersionState
    from worker.store.policies import Draft

policies = typer.Typer(cls=Commands, no_args_is_help=True, help="Thresholds in versions: write, watch in shadow, back-test, promote.")
HOURS = {"h": 1, "d": 24}
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The policy's name, say: default")]
VersionArgument = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="Which version, say: default@2")]
Threshold = Annotated[float | None, typer.Option(min=0, max=1, help="For both verdicts where scan and zoom agreed; instead of --file.")]


@policies.command("list")
def list_all(as_json: JsonOption = False) -> None:
    """List policies, and which version of each decides."""
    from worker.cli.policy_tables import policy_json, print_policies
    from worker.exports.jsonl import json_line

    found = _policies().known()
    if as_json:
        sys.stdout.writelines(json_line(policy_json(policy)) for policy in found)
    else:
        print_policies(found, console())


@policies.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A policy, or one version of it, say: default@2")],
    as_json: JsonOption = False,
) -> None:
    """Show a policy's versions, newest first, or one: its bands, queue, automatic action."""
    from worker.cli.policy_tables import print_versions, version_json
    from worker.exports.jsonl import json_line

    known = _policies()
    found = [known.version(*_parse(name))] if "@" in name else known.versions(_name(name))
    if as_json:
        sys.stdout.writelines(json_line(version_json(version)) for version in found)
    else:
        print_versions(found, console())


@policies.command()
def create(name: NameArgument, description: Annotated[str, typer.Option(help="What it is for.")] = "") -> None:
    """Make a policy. It routes nothing before one of its versions is promoted."""
    _policies().create(_name(name), description)
    report(f"Policy {name} is made. Write a version: zoomin policies write {name} --pass-below 0.2 --flag-from 0.8")


@policies.command()
def write(
    name: NameArgument,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="JSON as POST /v1/policies/{policy}/versions takes it.", show_default=False),
    ] = None,
    pass_below: Threshold = None,
    flag_from: Threshold = None,
    qa_share: Annotated[float, typer.Option(min=0, max=1, help="Of what passes, ask a person about this share; instead of --file.")] = 0.0,
    double_share: Annotated[
        float, typer.Option(min=0, max=1, help="Of what is reviewed or flagged, ask one reviewer more about this share; instead of --file.")
    ] = 0.0,
    note: Annotated[str, typer.Option(help="What changed; instead of --file.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write the next version, as a draft: from a file, or from two thresholds. What has no band is always reviewed."""
    from worker.cli.policy_files import read_draft
    from worker.cli.policy_tables import version_json
    from worker.exports.jsonl import json_line

    if (file is None) == (pass_below is None and flag_from is None):
        raise typer.BadParameter("Give either a file, or --pass-below and --flag-from.", param_hint="--file")
    if file is not None and (note or qa_share or double_share):
        raise typer.BadParameter("A file holds its own note and shares.", param_hint="--file")
    draft = read_draft(file) if file is not None else _draft(pass_below, flag_from, qa_share, double_share, note)
    made = _policies().write(_name(name), draft)
    if as_json:
        sys.stdout.write(json_line(version_json(made)))
        return
    report(made.version.name)
    say(f"A draft. See what it would have done: zoomin policies backtest {made.version.name}")


@policies.command()
def shadow(version: VersionArgument) -> None:
    """Watch a version: from now on it routes beside the live one, and nobody acts on it."""
    from worker.store.models.policies import VersionState

    _move(version, VersionState.SHADOW, "is watched in shadow")


@policies.command()
def promote(version: VersionArgument) -> None:
    """Let a version decide from now on. The one before is retired, and can be promoted again."""
    from worker.store.models.policies import VersionState

    _move(version, VersionState.LIVE, "decides from now on")


@policies.command()
def retire(version: VersionArgument) -> None:
    """Watch a version in shadow no longer."""
    from worker.store.models.policies import VersionState

    _move(version, VersionState.RETIRED, "is retired")


@policies.command()
def compare(version: VersionArgument, as_json: JsonOption = False) -> None:
    """Compare a version with the live routing, over all outcomes that it was watched on or back-tested over."""
    _compare(_policies(), version, as_json=as_json)


@policies.command()
def backtest(
    version: VersionArgument,
    batch: Annotated[
        str | None, typer.Option(metavar="BATCH", help="Only this batch, whatever its policy. (default: the policy's)", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="30d", help="Only what was judged since: days or hours. (default: ever)", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Route with a version what was judged before it, in shadow, then compare. Nothing is acted on; running it twice changes nothing."""
    name, number = _parse(version)
    hours = _hours(since)
    from worker.store.backtests import Reach

    reach = Reach(batch_id=parse_batch(batch) if batch else None, hours=hours)
    known, cursor, outcomes, routed = _policies(), None, 0, 0
    with console(stderr=True).status("back-testing …") as status:
        while True:
            done = known.backtest(name, number, reach, cursor)
            outcomes, routed, cursor = outcomes + done.outcomes, routed + done.routed, done.cursor
            if people_watch():
                status.update(f"back-testing: {outcomes:,} outcomes …")
            if cursor is None:
                break
    say(f"{outcomes:,} outcomes, {routed:,} of them routed by {version} for the first time.")
    _compare(known, version, as_json=as_json)


def _policies() -> "Policies":
    from worker.cli.installation.choosing import installation

    return installation().policies


def _move(version: str, state: "VersionState", words: str) -> None:
    _policies().move(*_parse(version), state)
    report(f"{version} {words}.")


def _compare(known: "Policies", version: str, *, as_json: bool) -> None:
    from worker.cli.policy_tables import comparison_json, print_comparison
    from worker.exports.jsonl import json_line

    changes = known.compare(*_parse(version))
    if as_json:
        sys.stdout.write(json_line(comparison_json(version, changes)))
    else:
        print_comparison(changes, console())


def _draft(pass_below: float | None, flag_from: float | None, qa_share: float, double_share: float, note: str) -> "Draft":
    from worker.moderation.outcomes import Verdict
    from worker.moderation.policy import Band, Opening, Said
    from worker.moderation.review import DEFAULT_QUEUE
    from worker.store.policies import Draft

    band, opening = Band(pass_below or 0.0, flag_from), Opening(qa_share=qa_share, double_share=double_share)
    return Draft(bands={Said(verdict): band for verdict in Verdict}, queue=DEFAULT_QUEUE, note=note, opening=opening)


def _parse(version: str) -> tuple[str, int]:
    name, _, number = version.partition("@")
    if not re.fullmatch("[1-9][0-9]{0,8}", number):
        raise typer.BadParameter(f"{version!r}: write the policy and the version's number, say default@2.", param_hint="NAME@VERSION")
    return _name(name), int(number)


def _name(text: str) -> str:
    from worker.moderation.policy import NAME

    if not NAME.fullmatch(text):
        raise typer.BadParameter(
            f"{text!r} is no name for a policy: lower-case letters, digits and hyphens, 63 at most.", param_hint="NAME"
        )
    return text


def _hours(text: str | None) -> int | None:
    if text is None:
        return None
    if not (match := re.fullmatch("([1-9][0-9]{0,4})([dh])", text)):
        raise typer.BadParameter(f"{text!r}: write a number of days or hours, say 30d or 12h.", param_hint="--since")
    return int(match[1]) * HOURS[match[2]]
