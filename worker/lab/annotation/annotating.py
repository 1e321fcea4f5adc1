"""One picture from its file to the fates of its clues, and all pictures of a run: at most so many at once, each failure its own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.lab.annotation.agreement import Agreement, Weighed, agree
from worker.lab.annotation.clues import Explanation, ReplyKind
from worker.lab.annotation.explaining import Explainer, Shown
from worker.lab.annotation.fates import Fate, Placed, place
from worker.lab.annotation.grounding import Grounder
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.spending import BudgetError
from worker.lab.annotation.views import Facts, Views
from worker.lab.annotation.wording import Similarity
from worker.lab.dataset.progress import BuildProgress
from worker.lab.labels import Label
from worker.moderation.boxes import Box
from worker.moderation.errors import OutageError, RejectedError, TransientError


class PictureFate(StrEnum):
    """Of a picture. Only annotated ones become data."""

    ANNOTATED = "annotated"  # at least one clue is kept
    NO_CLUE_LEFT = "no_clue_left"  # it was explained, and every clue was rejected
    REPEATED = "repeated"  # the very bytes of an earlier one
    UNREADABLE = "unreadable"  # its file cannot be used
    NOT_REACHED = "not_reached"  # the run ended before: budget, outage


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A clue with its fate."""

    weighed: Weighed
    placed: Placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """What became of a picture. `facts` are None where it could not be opened or was not reached."""

    label: Label
    fate: PictureFate
    facts: Facts | None = None
    explanations: tuple[Explanation, ...] = ()
    shared: float | None = None
    subject: Box | None = None
    clues: tuple[Judgement, ...] = ()
    problem: str = ""

    @property
    def kept(self) -> tuple[Judgement, ...]:
        """The clues that nothing rejected."""
        return tuple(clue for clue in self.clues if clue.placed.fate is Fate.KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotators:
    """Who works on a picture. `open_views` raises RejectedError for a file that cannot be used."""

    open_views: Callable[[Label], Awaitable[Views]]
    explainer: Explainer
    grounder: Grounder
    similarity: Similarity
    recipe: Recipe


async def annotate_all(
    labels: Sequence[Label], annotators: Annotators, at_once: int, report: Callable[[BuildProgress], None]
) -> tuple[tuple[Annotated, ...], TransientError | None]:
    """What became of each, in order, and what ended the run early, if anything: the budget or an outage.

    Raises MisconfiguredError, EngineDiedError, OSError: nothing more is asked, and the replies to what is out are waited for and kept.
    """
    places, done = asyncio.Semaphore(at_once), 0
    ended: list[TransientError] = []

    async def one(label: Label) -> Annotated:
        nonlocal done
        async with places:
            if ended:
                return Annotated(label=label, fate=PictureFate.NOT_REACHED)
            try:
                annotated = await annotate(label, annotators)
            except (BudgetError, OutageError) as error:
                ended.append(error)
                return Annotated(label=label, fate=PictureFate.NOT_REACHED)
        done += 1
        report(BuildProgress(doing="annotating pictures", done=done, total=len(labels)))
        return annotated

    report(BuildProgress(doing="annotating pictures", done=0, total=len(labels)))
    tasks = [asyncio.ensure_future(one(label)) for label in labels]
    try:
        annotated = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()  # the first error ends them all
        await asyncio.gather(*tasks, return_exceptions=True)
        await annotators.explainer.settle()
    return tuple(_without_repeats(annotated)), ended[0] if ended else None


def _without_repeats(annotated: Iterable[Annotated]) -> Iterator[Annotated]:
    """Of pictures with the same bytes the first stays: a file has one label."""
    first: dict[str, Annotated] = {}
    for each in annotated:
        if each.facts is None or (earlier := first.setdefault(each.facts.sha256, each)) is each:
            yield each
        else:
            problem = f"{each.label.file}: has the bytes of {earlier.label.file} [repeated]"
            yield Annotated(label=each.label, fate=PictureFate.REPEATED, facts=each.facts, problem=problem)


async def annotate(label: Label, annotators: Annotators) -> Annotated:
    """One picture, step by step."""
    try:
        views = await annotators.open_views(label)
    except RejectedError as error:
        return Annotated(label=label, fate=PictureFate.UNREADABLE, problem=f"{label.file}: {error.message} [{error.code}]")
    shown = Shown(label=label, pixels=views.whole.part.pixels, sha256=views.whole.part.uuid, original=views.facts.size)
    first = await annotators.explainer.explain(shown, 1)
    second = await annotators.explainer.explain(shown, 2)
    agreement = agree(first.clues, second.clues, annotators.similarity, annotators.recipe)
    rejected = _rejected_unseen((first, second), agreement, annotators.recipe)
    if rejected is None:
        subject, clues = await _placed(views, agreement.clues, annotators)
    else:
        subject, clues = None, tuple(Judgement(weighed=weighed, placed=rejected) for weighed in agreement.clues)
    kept = any(clue.placed.fate is Fate.KEPT for clue in clues)
    return Annotated(
        label=label,
        fate=PictureFate.ANNOTATED if kept else PictureFate.NO_CLUE_LEFT,
        facts=views.facts,
        explanations=(first, second),
        shared=agreement.shared,
        subject=subject,
        clues=clues,
    )


def _rejected_unseen(explanations: Sequence[Explanation], agreement: Agreement, recipe: Recipe) -> Placed | None:
    """Why none of the clues needs to be looked for; None when those that are seconded do."""
    unread = [explanation.kind for explanation in explanations if explanation.kind is not ReplyKind.READ]
    if unread:
        return Placed(fate=Fate.EXPLANATION_UNREADABLE, detail=f"the other explanation: {unread[0]}")
    if not agreement.holds(recipe):
        return Placed(fate=Fate.EXPLANATIONS_DIFFER, detail=f"{agreement.shared:.0%} of clues shared, below {recipe.least_shared:.0%}")
    return None


async def _placed(views: Views, weighed: Sequence[Weighed], annotators: Annotators) -> tuple[Box | None, tuple[Judgement, ...]]:
    subject = await annotators.grounder.subject(views)
    judged: list[Judgement] = []
    taken: list[Box] = []
    for each in weighed:
        placed = await _place_one(views, each, subject, taken, annotators)
        if placed.fate is Fate.KEPT and placed.box is not None:
            taken.append(placed.box)
        judged.append(Judgement(weighed=each, placed=placed))
    return subject, tuple(judged)


async def _place_one(views: Views, weighed: Weighed, subject: Box | None, taken: Sequence[Box], annotators: Annotators) -> Placed:
    recipe = annotators.recipe
    if len(weighed.said_by) < 2:
        return Placed(fate=Fate.NOT_SECONDED, detail=_unpaired(weighed.similarity, recipe.similar_from))
    looks = await annotators.grounder.ground(views, weighed.clue.text)
    return place(looks, subject, taken, views.facts.size, recipe)


def _unpaired(likest: float | None, similar_from: float) -> str:
    if likest is None:
        return ""
    why = f"below {similar_from:g}" if likest < similar_from else "but that one is paired with another"
    return f"likest clue of the other: {likest:.2f}, {why}"
