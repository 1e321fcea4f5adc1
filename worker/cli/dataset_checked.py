"""`zoomin dataset annotation-sample | annotation-agreement`: people check a share of what models annotated."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.cli.batches import JsonOption, actor
from worker.cli.endings import interrupt_on_termination
from worker.cli.lab import require_lab, shown_parts
from worker.cli.services import locate_services
from worker.cli.terminal import report, say

MODULES = ("numpy", "scipy", "sklearn")
DirArgument = Annotated[Path, typer.Argument(metavar="DIR", help="What `zoomin dataset annotate` wrote.")]


def annotation_sample(
    out: DirArgument,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the annotated pictures, drawn by their bytes.")] = 0.1,
    queue: Annotated[
        str, typer.Option(help="The review queue that they go to; made, with a policy of the same name, when there is none.")
    ] = "annotation",
    tenant: Annotated[str | None, typer.Option(help="Whose queue. (default: ZOOMIN_TENANT)", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Give a share of the annotated pictures to people, who accept, move and reject boxes on the review page."""
    require_lab(*MODULES)
    interrupt_on_termination()
    from worker.exports.jsonl import json_line
    from worker.lab.annotation.sampling import Asking, ask_people

    services = locate_services()
    asking = Asking(tenant=tenant or services.settings.tenant, queue=queue, share=share, actor=actor())
    with shown_parts("drawing a sample") as show:
        sample = ask_people(out.expanduser(), asking, services.storage, services.engine, services.settings, show)
    if as_json:
        sys.stdout.write(json_line({"batch": str(sample.batch), "queue": sample.queue, "pictures": len(sample.pictures)}))
        return
    report(str(sample.batch))
    say(f"{len(sample.pictures):,} pictures wait in the queue {sample.queue}: /review/queues/{sample.queue} on the review page.")
    say(f"What came of it, at any time: zoomin dataset annotation-agreement {out}")


def annotation_agreement(out: DirArgument, as_json: JsonOption = False) -> None:
    """Report how far people agree with the annotations, by artefact, and write DIR/labels.jsonl again with their fixes.

    Repeat it as more is decided. Labels are made of what the models left and of all decisions that stand.
    """
    require_lab(*MODULES)
    interrupt_on_termination()
    from worker.exports.jsonl import json_line
    from worker.lab.annotation.lines import read_lines
    from worker.lab.annotation.people import figures, find_judged, fixed, write_fixed
    from worker.lab.annotation.sampling import read_sample
    from worker.moderation.errors import RejectedError
    from worker.store.reviewed_pictures import Wanted, note_reviewed_export, stream_reviewed

    out = out.expanduser()
    lines, sample = read_lines(out), read_sample(out)
    if sample is None:
        raise RejectedError("not_sampled", f"Nobody was asked about {out} yet: zoomin dataset annotation-sample {out}")
    services = locate_services()
    wanted = Wanted(tenant_id=sample.tenant, queue=sample.queue)
    pictures = [picture for picture in stream_reviewed(services.engine, wanted) if picture.batch_id == sample.batch]
    note_reviewed_export(services.engine, wanted, decisions=len(pictures), actor=actor())
    judged = find_judged(lines, pictures)
    kept, left_out = fixed(lines, judged)
    found = {**figures(judged, len(sample.pictures)), "left_out": left_out}
    write_fixed(out, kept, found)
    if as_json:
        sys.stdout.write(json_line({"out": str(out), **found}))
        return
    _report(found, out)


def _report(found: dict[str, Any], out: Path) -> None:
    report(f"{found['decided']:,} of {found['sampled']:,} sampled pictures are decided, by {found['reviewers']:,} reviewers")
    report(f"Label shared: {_in_words(found['labels_shared'])}")
    for name, shares in {"all boxes": found["boxes"], **found["by_artefact"]}.items():
        report(
            f"{name}: accepted {_in_words(shares['accepted'])}, right {_in_words(shares['right'])}; "
            f"{shares['moved']:,} moved, {shares['rejected']:,} rejected"
        )
    report(f"Moved boxes, IoU with where they were put: {_in_words(found['moved_iou'])}")
    report(f"Added by people: {found['added']:,}; boxes that nobody judged: {found['unjudged']:,}")
    for sha256, why in found["left_out"].items():
        say(f"Left out: {sha256[:12]} {why}")
    report(f"{out / 'labels.jsonl'} has the fixes; {out / 'agreement.json'} the figures")


def _in_words(share: dict[str, Any]) -> str:
    if share["value"] is None:
        return "–"
    interval = f" [{share['interval'][0]:.2f}, {share['interval'][1]:.2f}]" if share["interval"] else ""
    return f"{share['value']:.2f}{interval} of {share['of']:,}"
