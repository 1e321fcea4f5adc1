"""Policies and their versions."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Answer, PersonsName, RequestBody
from worker.moderation.policy import LANGUAGE, LONGEST_REASON, LONGEST_TITLE, MOST_CLAUSES, MOST_LANGUAGES, NAME

Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$", examples=["default"])]
Chance = Annotated[float, Field(ge=0, le=1)]
Verdict = Literal["real", "generated"]
Route = Literal["pass", "review", "flag"]
State = Literal["draft", "shadow", "live", "retired"]
Note = Annotated[str, Field(max_length=2_000)]
Language = Annotated[str, Field(pattern=f"^{LANGUAGE.pattern}$", examples=["de", "pt-BR", "zh-Hans"])]
Restricting = Literal["label", "restrict", "remove"]


class BandBody(RequestBody):
    """Thresholds on P(generated) for one thing the model can have said; 0 ≤ pass_below ≤ flag_from ≤ 1."""

    verdict: Verdict = Field(description="The final verdict it is for")
    agreed: bool = Field(default=True, description="Whether scan and zoom said the same")
    pass_below: Chance = Field(0.0, description="Below it an image passes")
    flag_from: Chance | None = Field(None, description="At or above it an image is flagged; null: never")


class AutomaticBody(RequestBody):
    """An opt-in: what is flagged is acted on without a person."""

    action: Restricting
    opted_in_by: PersonsName = Field(
        description="Who answers for it, by a name of yours, which does not begin with `person:`, `key:` or `policy:`"
    )
    reason: str = Field(min_length=1, max_length=2_000, pattern=r"\S", description="Why")


class ClauseBody(RequestBody):
    """What a decision can rest on."""

    id: Name = Field(examples=["synthetic-undisclosed"], description="Answers and decisions name it")
    title: str = Field(min_length=1, max_length=LONGEST_TITLE, pattern=r"\S", description="What it says, for people")
    reason: str = Field("", max_length=LONGEST_REASON, description="What the reviewer's reason begins as")


class PolicySubmitted(RequestBody):
    """A new policy. It routes nothing before one of its versions is promoted."""

    name: Name
    description: Note = ""


class VersionSubmitted(RequestBody):
    """A new version, written once. What has no band is always reviewed."""

    bands: list[BandBody] = Field(max_length=4)
    queue: Name = Field("default", description="Review queue that takes what it sends to review")
    flag_queue: Name | None = Field(None, description="Review queue of what is flagged; null: `queue`")
    disagreement_queue: Name | None = Field(
        None, description="Review queue of what scan and zoom disagree on, flagged or not; null: as if they agreed"
    )
    qa_share: Chance = Field(0.0, description="Of what passes, this share is asked about all the same, by chance")
    double_share: Chance = Field(0.0, description="Of what is reviewed or flagged, this share is asked one reviewer more")
    faithfulness_share: Chance = Field(
        0.0, description="Of what is called generated, this share is tested: the cited regions masked, the score read again"
    )
    least_drop: Chance = Field(
        0.05, description="Of P(generated), beyond the control's: an explanation that moves the score less sends the image to review"
    )
    attention_share: Chance = Field(0.0, description="Of what has a verdict, a map of the model's attention is drawn for this share")
    languages: list[Language] = Field([], max_length=MOST_LANGUAGES, description="That explanations may be asked for in; each once")
    accuracy_floor: Chance | None = Field(
        None,
        description="Images as degraded as those that the release was right on less often than this go to a person; null: none do. The "
        "measured balanced accuracy counts, not an end of its interval",
    )
    automatic: AutomaticBody | None = None
    clauses: list[ClauseBody] = Field([], max_length=MOST_CLAUSES, description="Where there are any, whoever decides names one")
    reason_required: bool = Field(default=False, description="Whether who says real or generated must say why")
    four_eyes: list[Restricting] = Field([], max_length=3, description="What takes two people to decide; none of them can be automatic")
    note: Note = Field("", description="What changed, for people")


class Policy(Answer):
    """A named set of routing rules."""

    name: str
    description: str
    live: int | None = Field(description="The version that decides")
    created_at: datetime


class PolicyPage(Answer):
    """By name."""

    policies: list[Policy]
    next_cursor: str | None = Field(description="Null on the last page")


class Band(Answer):
    """As it was submitted."""

    verdict: Verdict
    agreed: bool
    pass_below: float
    flag_from: float | None


class Automatic(Answer):
    """As it was submitted."""

    action: Restricting
    opted_in_by: str
    reason: str


class Clause(Answer):
    """As it was submitted."""

    id: str
    title: str
    reason: str


class Version(Answer):
    """One version of a policy."""

    policy: str
    version: int
    state: State
    bands: list[Band]
    queue: str
    flag_queue: str | None
    disagreement_queue: str | None
    qa_share: float
    double_share: float
    faithfulness_share: float
    least_drop: float
    attention_share: float
    languages: list[str]
    accuracy_floor: float | None
    automatic: Automatic | None
    clauses: list[Clause]
    reason_required: bool
    four_eyes: list[Restricting]
    note: str
    created_by: str
    created_at: datetime
    in_force_since: datetime | None = Field(description="When it last became live or shadow")


class VersionPage(Answer):
    """Newest first."""

    versions: list[Version]
    next_cursor: str | None = Field(description="Null on the last page")


class Change(Answer):
    """So many outcomes were routed `live` and would have been routed `shadow`."""

    live: Route
    shadow: Route
    outcomes: int


class Comparison(Answer):
    """What a version would change, over the outcomes it was watched on in shadow or back-tested over."""

    outcomes: int
    changed: int
    changes: list[Change]


class Backtested(Answer):
    """A stretch of the scope is done: at most 5,000 items were looked at."""

    outcomes: int = Field(description="Current outcomes found in it")
    routed: int = Field(description="Of those, routed by the version for the first time")
    next_cursor: str | None = Field(description="Go on with it; null at the end")
