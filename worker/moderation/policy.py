"""What to do with an outcome. A policy version is a frozen value; routing with it is a pure function.

A version holds a *band* for each thing the model can have said: its verdict, and whether the scan had said the same. Nothing is acted on
automatically unless the version records who opted in, and why.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from worker.moderation.calibration import UNMEASURED, Accuracies
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Outcome, OutcomeKind, RetentionClass, Verdict

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
MOST_CLAUSES = 50  # people pick from them
LONGEST_TITLE, LONGEST_REASON = 200, 1_000  # characters
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")  # BCP 47: language, script, region
MOST_LANGUAGES = 40


class Route(StrEnum):
    """Where an outcome goes."""

    PASS = "pass"  # noqa: S105  a route, not a password
    REVIEW = "review"
    FLAG = "flag"


class PolicyMode(StrEnum):
    """Whether a version decides, or is only watched."""

    LIVE = "live"
    SHADOW = "shadow"


class Action(StrEnum):
    """What a platform does to an image. `none` leaves it as it is."""

    NONE = "none"
    LABEL = "label"
    RESTRICT = "restrict"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said: its verdict, and whether the scan had said the same before the zoom looked."""

    verdict: Verdict
    agreed: bool = True


@dataclass(frozen=True, slots=True)
class Band:
    """Thresholds on P(generated): below `pass_below` passes, at or above `flag_from` is flagged, between is reviewed; None never flags."""

    pass_below: float = 0.0
    flag_from: float | None = None

    def __post_init__(self) -> None:
        """Raises RejectedError `band_invalid`."""
        top = 1.0 if self.flag_from is None else self.flag_from
        if not 0.0 <= self.pass_below <= top <= 1.0:
            raise RejectedError("band_invalid", f"0 ≤ pass_below ≤ flag_from ≤ 1 does not hold: {self.pass_below}, {self.flag_from}.")

    def route(self, p_generated: float) -> "Routing":
        """The route of a score."""
        if p_generated < self.pass_below:
            return Routing(Route.PASS, f"P(generated) < {self.pass_below:g}")
        if self.flag_from is not None and p_generated >= self.flag_from:
            return Routing(Route.FLAG, f"P(generated) ≥ {self.flag_from:g}")
        return Routing(Route.REVIEW, self._why_reviewed())

    def _why_reviewed(self) -> str:
        if self.flag_from is None:
            return f"P(generated) ≥ {self.pass_below:g}; never flagged" if self.pass_below else "reviewed whatever the score"
        return f"P(generated) between {self.pass_below:g} and {self.flag_from:g}"


ALWAYS_REVIEW = Band()


@dataclass(frozen=True, slots=True)
class AutomaticAction:
    """An opt-in: what is flagged is acted on without a person, because `opted_in_by` said so, for `reason`."""

    action: Action
    opted_in_by: str
    reason: str

    def __post_init__(self) -> None:
        """Raises RejectedError `opt_in_incomplete`."""
        if self.action is Action.NONE or not self.opted_in_by.strip() or not self.reason.strip():
            raise RejectedError("opt_in_incomplete", "An automatic action names what is done, who opted in, and why.")


@dataclass(frozen=True, slots=True)
class Clause:
    """What a decision can rest on. A reviewer who picks it begins with its `reason`, and may change that."""

    id: str
    title: str
    reason: str = ""

    def __post_init__(self) -> None:
        """Raises RejectedError `clause_invalid`."""
        if not NAME.fullmatch(self.id):
            raise RejectedError(
                "clause_invalid", f"{self.id[:80]!r} is no id of a clause: lower-case letters, digits and hyphens, 63 at most."
            )
        if not self.title.strip() or len(self.title) > LONGEST_TITLE or len(self.reason) > LONGEST_REASON:
            raise RejectedError(
                "clause_invalid", f"Clause {self.id}: a title of 1 to {LONGEST_TITLE} characters, a reason of {LONGEST_REASON} at most."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Which questions are opened beside those that the bands ask for, and where; see `worker.moderation.opening`.

    `key` is the version's own and shown to nobody: without it nobody can foretell what is sampled.
    """

    flag_queue: str | None = None  # takes what is flagged; None: the version's queue does
    disagreement_queue: str | None = None  # takes what scan and zoom disagree on, flagged or not; None: as if they agreed
    qa_share: float = 0.0  # of what passes: looked at by a person all the same
    double_share: float = 0.0  # of what is reviewed or flagged: asked one reviewer more
    key: UUID = field(default=UUID(int=0), compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises RejectedError `share_invalid`."""
        for name, share in (("qa_share", self.qa_share), ("double_share", self.double_share)):
            if not 0.0 <= share <= 1.0:
                raise RejectedError("share_invalid", f"{name} is a share, from 0 to 1: {share} is none.")


PLAIN = Opening()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explaining:
    """What is done to explain outcomes, and to test explanations, beyond what the model says. It costs time: nothing is done by default."""

    faithfulness_share: float = 0.0  # of what is called generated: are the cited regions masked, does the score move?
    least_drop: float = 0.05  # of P(generated), beyond the control's: an explanation that moves the score less sends the image to review
    attention_share: float = 0.0  # of what has a verdict: a map of the model's attention is drawn
    languages: tuple[str, ...] = ()  # BCP-47 tags that explanations may be asked for in

    def __post_init__(self) -> None:
        """Raises RejectedError: share_invalid, languages_invalid."""
        for name in ("faithfulness_share", "least_drop", "attention_share"):
            if not 0.0 <= (share := getattr(self, name)) <= 1.0:
                raise RejectedError("share_invalid", f"{name} is a share, from 0 to 1: {share} is none.")
        for tag in self.languages:
            if not LANGUAGE.fullmatch(tag):
                raise RejectedError("languages_invalid", f"{tag[:40]!r} is no language tag such as de, pt-BR or zh-Hans.")
        if len(set(self.languages)) < len(self.languages) or len(self.languages) > MOST_LANGUAGES:
            raise RejectedError("languages_invalid", f"Each language stands once, and there are {MOST_LANGUAGES} at most.")


UNEXPLAINED = Explaining()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """One version of a tenant's policy. What `bands` does not mention is always reviewed; `queue` takes what is reviewed.

    Whoever decides names one of the `clauses`, where there are any; gives a reason when `reason_required`; and is not alone when the
    action is one of `four_eyes`. Where the release was right on less than `accuracy_floor` of images as degraded as this one, a person
    decides.
    """

    policy: str
    version: int
    bands: Mapping[Said, Band] = field(default_factory=dict)
    queue: str = "default"
    automatic: AutomaticAction | None = None
    clauses: tuple[Clause, ...] = ()
    reason_required: bool = False
    four_eyes: frozenset[Action] = frozenset()
    opening: Opening = PLAIN
    explaining: Explaining = UNEXPLAINED
    accuracy_floor: float | None = None

    def __post_init__(self) -> None:
        """Raises RejectedError: clauses_too_many, clause_repeated, four_eyes_invalid, share_invalid."""
        if self.accuracy_floor is not None and not 0.0 <= self.accuracy_floor <= 1.0:
            raise RejectedError("share_invalid", f"accuracy_floor is a share, from 0 to 1: {self.accuracy_floor} is none.")
        if len(self.clauses) > MOST_CLAUSES:
            raise RejectedError("clauses_too_many", f"A version has {MOST_CLAUSES} clauses at most; this one has {len(self.clauses)}.")
        if len({clause.id for clause in self.clauses}) < len(self.clauses):
            raise RejectedError("clause_repeated", "Each clause of a version has an id of its own.")
        if Action.NONE in self.four_eyes or (self.automatic is not None and self.automatic.action in self.four_eyes):
            raise RejectedError("four_eyes_invalid", "Two people decide on label, restrict or remove, and then nothing does so by itself.")

    @property
    def name(self) -> str:
        """As routings record it."""
        return f"{self.policy}@{self.version}"

    def band(self, said: Said) -> Band:
        """The thresholds for what was said."""
        return self.bands.get(said, ALWAYS_REVIEW)


@dataclass(frozen=True, slots=True)
class Routing:
    """A route and the reason, for people."""

    route: Route
    reason: str


# A tenant's first version: a disagreement between scan and zoom is a person's to settle.
DEFAULT_POLICY = "default"
DEFAULT_BANDS = {Said(verdict): Band(pass_below=0.2, flag_from=0.8) for verdict in Verdict}


UNMOVED = "its explanation does not move its score"


def route(outcome: Outcome, policy: PolicyVersion, *, scores_mean_something: bool, accuracies: Accuracies = UNMEASURED) -> Routing | None:
    """The routing of an outcome; None for a cancelled item. An unscored or untrained judgement goes to a person under every policy.

    So does a verdict whose explanation was tested and does not move its score, by the version's own measure; and instead of being flagged,
    one that was to be tested and could not be. `accuracies` are what was measured of the release: under a floor of accuracy, it abstains
    where it is below, and where it is unknown.
    """
    if outcome.kind is OutcomeKind.CANCELLED:
        return None
    if outcome.kind is not OutcomeKind.VERDICT or outcome.verdict is None:
        return Routing(Route.REVIEW, f"no verdict: {outcome.kind}")
    if outcome.p_generated is None:
        return Routing(Route.REVIEW, "a verdict without a score")
    if not scores_mean_something:
        return Routing(Route.REVIEW, "the release is untrained or zero-shot: its scores decide nothing")
    if policy.accuracy_floor is not None and (why := _abstains(outcome, policy.accuracy_floor, accuracies)):
        return Routing(Route.REVIEW, f"abstains: {why}")
    if outcome.faithfulness is not None and not outcome.faithfulness.moves_score(policy.explaining.least_drop):
        return Routing(Route.REVIEW, UNMOVED)
    return _by_band(outcome, outcome.p_generated, policy.band(Said(outcome.verdict, stages_agree(outcome))))


def _by_band(outcome: Outcome, p_generated: float, band: Band) -> Routing:
    """The band's route; but review, where it would flag what was to be tested and could not be."""
    routing = band.route(p_generated)
    if routing.route is Route.FLAG and outcome.faithfulness is not None and (why := outcome.faithfulness.untested):
        return Routing(Route.REVIEW, why)
    if stages_agree(outcome):
        return routing
    return Routing(routing.route, f"scan said {outcome.scan_verdict}, zoom said {outcome.verdict}; {routing.reason}")


def _abstains(outcome: Outcome, floor: float, accuracies: Accuracies) -> str | None:
    """Why the release does not decide on an image as degraded as this one; None where it was right often enough.

    The measured value is held against the floor, as the owner of the policy reads it in the report; the reason gives its interval too.
    """
    band = outcome.degradation_band
    if band is None:
        return f"what the image went through was not estimated; the policy's floor is {_percent(floor)}"
    measured = accuracies.get(band)
    if measured is None:
        return f"how often this release is right on {band} images was not measured; the policy's floor is {_percent(floor)}"
    if measured.value >= floor:
        return None
    interval = f"{100 * measured.low:.3g} to {_percent(measured.high)}"
    right = f"right {_percent(measured.value)} ({interval}, N = {measured.images:,})"
    return f"on {band} images this release was {right}, below the policy's floor of {_percent(floor)}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def stages_agree(outcome: Outcome) -> bool:
    """Whether the scan had said what the zoom says, as far as both said anything."""
    return outcome.scan_verdict in {None, outcome.verdict}


def retention_class(routing: Routing | None) -> RetentionClass:
    """Evidence of what passes is routine; of everything else, part of a case."""
    return RetentionClass.ROUTINE if routing is not None and routing.route is Route.PASS else RetentionClass.CASE
