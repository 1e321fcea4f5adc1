"""A whole run: claims the output folder, opens what answers, annotates, writes what came of it. Goes on where it stopped."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from worker.exports.whole_files import write_whole
from worker.images.pool import DecodePool
from worker.lab.annotation.annotating import Annotators, annotate_all
from worker.lab.annotation.endpoint import explainer_endpoint
from worker.lab.annotation.explaining import Explainer
from worker.lab.annotation.grounding import Grounder
from worker.lab.annotation.output import CARD, SUMMARY, write_pictures
from worker.lab.annotation.pace import Pace
from worker.lab.annotation.pictures import Pictures
from worker.lab.annotation.prompts import VERSION
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.responses import opened_responses
from worker.lab.annotation.spending import Purse
from worker.lab.annotation.summary import card_of, recipe_facts, summarise
from worker.lab.annotation.views import open_views
from worker.lab.annotation.wording import Similarity, open_measure
from worker.lab.dataset.claim import BUILD, claim, refuse_foreign
from worker.lab.dataset.making import IMAGES
from worker.lab.dataset.progress import BuildProgress
from worker.moderation.errors import TransientError
from worker.moderation.settings import Settings
from worker.vision.load import load_vision_model
from worker.vision.model import VisionModel

RESPONSES = BUILD / "responses.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is annotated, by whom, how fast, for how much. `settings` name the grounder as their model."""

    pictures: Pictures
    out: Path
    recipe: Recipe
    explainer_url: str
    explainer_model: str
    purse: Purse
    pace: Pace
    at_once: int
    responses: Path | None  # None: the output folder's own
    settings: Settings

    @property
    def identity(self) -> dict[str, Any]:
        """What an output folder was begun with. Neither money nor pace: a run may go on with more of either."""
        return {
            "annotates": self.pictures.sha256,
            "explainer": [self.explainer_url, self.explainer_model],
            "grounder": self.settings.model,
            "prompts": VERSION,
            "recipe": recipe_facts(self.recipe),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run went. `ended_early` is why it stopped before the last picture: the budget or an outage; what there is, is written."""

    summary: dict[str, Any]
    ended_early: TransientError | None
    problems: tuple[str, ...]  # pictures that could not be used, and why


def run(plan: Plan, report: Callable[[BuildProgress], None], *, vision: VisionModel | None = None) -> Run:
    """Annotates `plan`. `vision` stands in for the grounder that the settings name.

    Raises RejectedError: out_taken, out_of_another_build, responses_in_use, responses_unreadable, picture_changed; MisconfiguredError,
    EngineDiedError, OSError. Whatever ends a run, what was paid for is kept.
    """
    similarity = open_measure(plan.recipe.measure)
    key = plan.settings.explainer_api_key
    endpoint = explainer_endpoint(plan.explainer_url, key.get_secret_value() if key else None)
    refuse_foreign(plan.out)
    claim(plan.out, plan.identity, "pictures, models or thresholds", [Path(IMAGES)])
    with opened_responses(plan.responses or plan.out / RESPONSES) as responses:
        explainer = Explainer(
            endpoint=endpoint,
            model=plan.explainer_model,
            recipe=plan.recipe,
            purse=plan.purse,
            pace=plan.pace,
            responses=responses,
        )
        return asyncio.run(_run(plan, explainer, similarity, report, vision))


async def _run(
    plan: Plan, explainer: Explainer, similarity: Similarity, report: Callable[[BuildProgress], None], vision: VisionModel | None
) -> Run:
    report(BuildProgress(doing="loading the grounder", done=0, total=1))
    answering = vision or await load_vision_model(plan.settings)
    began = time.monotonic()
    try:
        with closing(DecodePool(plan.settings.decode_processes)) as decoders:
            limit = plan.settings.fetch_max_bytes
            annotators = Annotators(
                open_views=partial(open_views, folder=plan.pictures.folder, card=answering.card, decoders=decoders, max_bytes=limit),
                explainer=explainer,
                grounder=Grounder(vision=answering, recipe=plan.recipe, responses=explainer.responses),
                similarity=similarity,
                recipe=plan.recipe,
            )
            annotated, ended = await annotate_all(plan.pictures.labels, annotators, plan.at_once, report)
    finally:
        await answering.close()
        await explainer.endpoint.aclose()
    summary = summarise(annotated, explainer, answering.card, time.monotonic() - began)
    by = {"explainer": plan.explainer_model, "grounder": answering.card.name, "plumbing": plan.recipe.text_only}
    write_pictures(annotated, plan.pictures.folder, plan.out, plan.settings.fetch_max_bytes, by)
    write_whole(plan.out / SUMMARY, msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    write_whole(plan.out / CARD, card_of(summary).encode())
    return Run(summary=summary, ended_early=ended, problems=tuple(each.problem for each in annotated if each.problem))
