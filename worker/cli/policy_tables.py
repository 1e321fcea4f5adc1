"""Policies: as JSON for machines and as tables for the eye."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from worker.cli.policy_files import draft_body
from worker.cli.terminal import untrusted
from worker.moderation.policy import Band, Opening, PolicyVersion, Said
from worker.store.policies import Draft
from worker.store.policy_reading import Change, Policy, WrittenVersion


def policy_json(policy: Policy) -> dict[str, Any]:
    """Plain JSON."""
    return {"name": policy.name, "description": policy.description, "live": policy.live, "created_at": policy.created_at.isoformat()}


def version_json(written: WrittenVersion) -> dict[str, Any]:
    """Plain JSON, as the API has it."""
    version = written.version
    draft = Draft(
        bands=version.bands,
        queue=version.queue,
        automatic=version.automatic,
        clauses=version.clauses,
        reason_required=version.reason_required,
        four_eyes=version.four_eyes,
        note=written.note,
        opening=version.opening,
        explaining=version.explaining,
        accuracy_floor=version.accuracy_floor,
    )
    return {
        "policy": version.policy,
        "version": version.version,
        "state": written.state,
        **draft_body(draft),
        "created_by": written.created_by,
        "created_at": written.created_at.isoformat(),
        "in_force_since": written.in_force_since.isoformat() if written.in_force_since else None,
    }


def comparison_json(version: str, changes: Sequence[Change]) -> dict[str, Any]:
    """Plain JSON."""
    return {
        "version": version,
        "outcomes": sum(change.outcomes for change in changes),
        "changed": _changed(changes),
        "changes": [{"live": change.live, "shadow": change.shadow, "outcomes": change.outcomes} for change in changes],
    }


def print_policies(policies: Iterable[Policy], console: Console) -> None:
    """One row per policy."""
    table = _table("policy", "live", "made (UTC)", "description")
    for policy in policies:
        live = f"{policy.name}@{policy.live}" if policy.live else "none yet"
        table.add_row(policy.name, live, f"{policy.created_at:%Y-%m-%d %H:%M}", untrusted(policy.description))
    console.print(table)


def print_versions(versions: Iterable[WrittenVersion], console: Console) -> None:
    """One row per version, its bands below each other."""
    table = _table(
        "version", "state", "bands on P(generated)", "reviewed in", "sampled", "explained", "automatic", "asks for", "written by", "note"
    )
    for written in versions:
        version, opt_in = written.version, written.version.automatic
        automatic = f"{opt_in.action}: {opt_in.opted_in_by}, {opt_in.reason}" if opt_in else ""
        sampled, explained = _shares(version.opening), _explained(version)
        texts = map(untrusted, (_queues(version), sampled, explained, automatic, _asks(version), written.created_by, written.note))
        table.add_row(version.name, written.state, _bands(version), *texts)
    console.print(table)


def print_comparison(changes: Sequence[Change], console: Console) -> None:
    """One row per pair of routes, and how many differ."""
    table = Table("live", "with it", header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("outcomes", justify="right")
    for change in changes:
        table.add_row(change.live, change.shadow, f"{change.outcomes:,}", style="" if change.live is change.shadow else "bold yellow")
    if changes:
        console.print(table)
    console.print(f"{_changed(changes):,} of {sum(change.outcomes for change in changes):,} would be routed otherwise.")


def _changed(changes: Sequence[Change]) -> int:
    return sum(change.outcomes for change in changes if change.live is not change.shadow)


def _asks(version: PolicyVersion) -> str:
    """What whoever decides under it must bring."""
    asked = ["a reason"] if version.reason_required else []
    asked += [f"a clause: {', '.join(clause.id for clause in version.clauses)}"] if version.clauses else []
    asked += [f"two people to {', '.join(sorted(version.four_eyes))}"] if version.four_eyes else []
    return "\n".join(asked)


def _queues(version: PolicyVersion) -> str:
    own = (("flags", version.opening.flag_queue), ("disagreements", version.opening.disagreement_queue))
    return "\n".join([version.queue, *(f"{what}: {queue}" for what, queue in own if queue is not None)])


def _shares(opening: Opening) -> str:
    shares = ((opening.qa_share, "of passed"), (opening.double_share, "twice"))
    return "\n".join(f"{share:.3g} {what}" for share, what in shares if share)


def _explained(version: PolicyVersion) -> str:
    """What is done to explain its outcomes, and to test explanations."""
    explaining = version.explaining
    lines = [f"{explaining.faithfulness_share:.3g} tested, drop ≥ {explaining.least_drop:g}"] if explaining.faithfulness_share else []
    lines += [f"{explaining.attention_share:.3g} mapped"] if explaining.attention_share else []
    lines += [f"in {', '.join(explaining.languages)}"] if explaining.languages else []
    lines += [f"abstains below {version.accuracy_floor:g} right"] if version.accuracy_floor is not None else []
    return "\n".join(lines)


def _bands(version: PolicyVersion) -> str:
    shown = sorted(version.bands.items(), key=lambda pair: (pair[0].verdict, not pair[0].agreed))
    return "\n".join(f"{_said(said)}: {_range(band)}" for said, band in shown) or "none: all reviewed"


def _said(said: Said) -> str:
    return said.verdict if said.agreed else f"{said.verdict}, scan disagreed"


def _range(band: Band) -> str:
    flag = "never flag" if band.flag_from is None else f"flag ≥ {band.flag_from:g}"
    return f"pass < {band.pass_below:g}, {flag}"


def _table(*columns: str) -> Table:
    return Table(*columns, header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
