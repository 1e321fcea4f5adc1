"""A run in numbers, for a card and for machines."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from statistics import mean
from typing import Any

from worker.lab.annotation.annotating import Annotated, PictureFate
from worker.lab.annotation.explaining import Explainer
from worker.lab.annotation.fates import Fate
from worker.lab.annotation.recipe import Recipe
from worker.lab.evaluation.matching import match_boxes
from worker.moderation.outcomes import Verdict
from worker.moderation.release import HONESTY, Training
from worker.moderation.shares import Share
from worker.vision.model import ModelCard

PLUMBING = "PLUMBING ONLY: the explainer saw facts instead of pictures. Its clues say nothing of any picture: train on nothing of this."


def summarise(annotated: Sequence[Annotated], explainer: Explainer, grounder: ModelCard, seconds: float) -> dict[str, Any]:
    """Counts, fates and cost of a run that is over, whole or early. Tokens and cost are of all that the file of replies holds."""
    recipe = explainer.recipe
    fates = Counter(clue.placed.fate for each in annotated for clue in each.clues)
    kept = Share(fates[Fate.KEPT], fates.total())
    return {
        "pictures": {"all": len(annotated), **_counted(PictureFate, Counter(each.fate for each in annotated))},
        "explanations": dict(sorted(Counter(each.kind.value for picture in annotated for each in picture.explanations).items())),
        "clues": {"all": fates.total(), **_counted(Fate, fates)},
        "kept_share": {"value": kept.value, "interval": [kept.interval.low, kept.interval.high] if kept.interval else None},
        "against_given_regions": _against_given(annotated),
        "requests": dict(sorted(explainer.counts.items())),
        "tokens": {"prompt": explainer.responses.prompt_tokens, "completion": explainer.responses.completion_tokens},
        "cost": {"spent": round(explainer.responses.spent, 6), "budget": explainer.purse.budget, "prices": asdict(explainer.purse.prices)},
        "seconds": round(seconds, 1),
        "explainer": {"model": explainer.model, "at": explainer.endpoint.base_url, "text_only": recipe.text_only},
        "grounder": {"model": grounder.name, "training": grounder.training.value},
        "recipe": recipe_facts(recipe),
    }


def recipe_facts(recipe: Recipe) -> dict[str, Any]:
    """Every setting of a recipe, with the threshold that a default stands for."""
    return {**asdict(recipe), "least_similarity": recipe.similar_from}


def card_of(summary: Mapping[str, Any]) -> str:
    """The card for people."""
    clues, pictures, cost = summary["clues"], summary["pictures"], summary["cost"]
    rejected = [f"- {name}: {number}" for name, number in clues.items() if name not in ("all", Fate.KEPT)]
    honesty = [PLUMBING] if summary["explainer"]["text_only"] else []
    sections: Sequence[Sequence[str]] = (
        ["# Data card"],
        [*honesty, f"Explained by {summary['explainer']['model']}, twice; grounded by {summary['grounder']['model']}, twice."],
        [HONESTY[Training(summary["grounder"]["training"])], "Labels are what the pictures were known to be; a person has checked none of"],
        ['the clues, unless `agreement.json` says so. Boxes mean "worth a closer look": they are where explainer and grounder agreed.'],
        ["## Pictures", "", *(f"- {name}: {number}" for name, number in pictures.items())],
        ["## Clues", "", f"- all: {clues['all']}", f"- kept: {clues[Fate.KEPT]}", *rejected],
        ["## Cost", "", f"- {cost['spent']:.4f} of {cost['budget'] if cost['budget'] is not None else 'no limit'}"],
        ["## Settings", "", *(f"- {name}: {value}" for name, value in summary["recipe"].items())],
    )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _counted(closed: type[StrEnum], counts: Mapping[Any, int]) -> dict[str, int]:
    return {member.value: counts.get(member, 0) for member in closed}


def _against_given(annotated: Sequence[Annotated]) -> dict[str, float | int | None]:
    """Kept boxes against regions that were known before, of generated pictures that have any; a region that no box meets counts 0."""
    known = [each for each in annotated if each.label.label is Verdict.GENERATED and each.label.regions and each.clues]
    best = [
        iou
        for each in known
        for iou in match_boxes(each.label.regions, [clue.placed.box for clue in each.kept if clue.placed.box is not None]).best_of_true
    ]
    return {"pictures": len(known), "regions": len(best), "mean_best_iou": round(mean(best), 4) if best else None}
