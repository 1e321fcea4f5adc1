"""Searches over HTTP: the filter that a query string asks for, and what was found as the API shows it."""

from typing import Annotated, Literal

from fastapi import Depends, Query

from api.schemas import search as bodies
from worker.moderation.identifiers import item_id
from worker.moderation.search import DAY, MOST_WORDS, NAME, SCORE, Filter, read_filter
from worker.store.search_results import Found, FoundDecision

Words = Annotated[
    str | None,
    Query(
        pattern=rf"^[^\x00-\x1f\x7f]{{1,{MOST_WORDS}}}$",
        description='Words of the explanation, reasons or findings: all of them; `"a phrase"`, `or` and `-without` as in web searches.',
        examples=["six fingers"],
    ),
]
BatchWanted = Annotated[
    str | None,
    Query(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description="Of this batch."),
]
VerdictWanted = Annotated[Literal["real", "generated"] | None, Query(description="What the model said.")]
DecidedWanted = Annotated[Literal["real", "generated", "none"] | None, Query(description="What was decided; `none`: nothing was.")]
RouteWanted = Annotated[Literal["pass", "review", "flag"] | None, Query(description="Where the live policy version sent it.")]
ScoreFrom = Annotated[str | None, Query(pattern=f"^({SCORE.pattern})$", description="P(generated), at least.", examples=["0.5"])]
ScoreTo = Annotated[str | None, Query(pattern=f"^({SCORE.pattern})$", description="P(generated), at most.", examples=["0.9"])]
SeenHalfTo = Annotated[
    str | None,
    Query(
        pattern=f"^({SCORE.pattern})$", description="Share of the image that was seen at half resolution or more, at most.", examples=["0"]
    ),
]
DegradationWanted = Annotated[
    Literal["blurred", "rescaled", "compressed", "framed", "clean"] | None, Query(description="The band of what the image went through.")
]
ReviewerWanted = Annotated[
    str | None, Query(pattern=f"^{NAME.pattern}$", description="Answered by this reviewer, as far as you may know of it.")
]
ReleaseWanted = Annotated[str | None, Query(pattern=f"^{NAME.pattern}$", description="Judged by this release.")]
DayFrom = Annotated[
    str | None, Query(pattern=f"^{DAY.pattern}$", description="Judged on this day (UTC) or later.", examples=["2026-11-01"])
]
DayTo = Annotated[str | None, Query(pattern=f"^{DAY.pattern}$", description="Judged on this day (UTC) or before.", examples=["2026-11-30"])]


def filter_asked(
    words: Words = None,
    batch: BatchWanted = None,
    verdict: VerdictWanted = None,
    decided: DecidedWanted = None,
    route: RouteWanted = None,
    score_from: ScoreFrom = None,
    score_to: ScoreTo = None,
    seen_half_to: SeenHalfTo = None,
    degradation: DegradationWanted = None,
    reviewer: ReviewerWanted = None,
    release: ReleaseWanted = None,
    day_from: DayFrom = None,
    day_to: DayTo = None,
) -> Filter:
    """The filter of a request's query. Raises RejectedError `filter_invalid`."""
    given = {
        "words": words,
        "batch": batch,
        "verdict": verdict,
        "decided": decided,
        "route": route,
        "score_from": score_from,
        "score_to": score_to,
        "seen_half_to": seen_half_to,
        "degradation": degradation,
        "reviewer": reviewer,
        "release": release,
        "day_from": day_from,
        "day_to": day_to,
    }
    return read_filter((name, value) for name, value in given.items() if value is not None)


Wanted = Annotated[Filter, Depends(filter_asked)]


def describe_found(found: Found) -> bodies.FoundItem:
    """An item that was found."""
    return bodies.FoundItem(
        id=item_id(found.batch_id, found.ordinal),
        batch_id=found.batch_id,
        custom_id=found.custom_id,
        source=found.source,
        revision=found.revision,
        outcome=found.outcome,
        verdict=found.verdict,
        p_generated=found.p_generated,
        route=found.route,
        release=found.release,
        training=found.training,
        decision=_decision(found.decision) if found.decision else None,
        reviewers=list(found.reviewers),
        judged_at=found.judged_at,
        headline=bodies.HeadlineBody(text=found.headline.text, matches=[list(match) for match in found.headline.matches]),
        erased=found.erased,
    )


def _decision(decision: FoundDecision) -> bodies.FoundDecisionBody:
    return bodies.FoundDecisionBody(
        id=decision.id,
        verdict=decision.verdict,
        action=decision.action,
        basis=decision.basis,
        decided_at=decision.decided_at,
    )
