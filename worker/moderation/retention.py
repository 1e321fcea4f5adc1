"""What is kept how long, and why: one table. What is in it ends by itself; what is not in it is kept until somebody erases it.

The days are rows of `retention_terms`, installed with these defaults, and not settings: the database itself refuses to purge before them,
and no two processes can disagree. They hold for all tenants, since evidence is content-addressed: one object may be several tenants'.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

REASON = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")  # a code, so that a tombstone never holds what somebody wrote about a person
DEFAULT_REASON = "requested"


class TermKind(StrEnum):
    """What a term is for. The first three are the classes of images."""

    ROUTINE = "routine"
    CASE = "case"
    CONTESTED = "contested"
    EVENTS = "events"
    CLAIMS = "claims"
    ROW_ERRORS = "row_errors"
    INTAKES = "intakes"
    KEYS = "keys"
    SECRETS = "secrets"
    SESSIONS = "sessions"


IMAGE_CLASSES = (TermKind.ROUTINE, TermKind.CASE, TermKind.CONTESTED)
PRUNED = tuple(kind for kind in TermKind if kind not in IMAGE_CLASSES)  # whole rows, by the database's own functions


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One row of the table. `days` is the default."""

    kind: TermKind
    days: int
    what: str
    why: str


_PARTS = "crops, shrunken image, traces, metadata"
TERMS = (
    Term(
        kind=TermKind.ROUTINE,
        days=30,
        what=f"{_PARTS} of images that passed, from the newest outcome",
        why="long enough to look into a complaint or to replay a release",
    ),
    Term(
        kind=TermKind.CASE,
        days=400,
        what=f"{_PARTS} of images that were reviewed, flagged or decided on, from the newest outcome or decision",
        why="decisions can be contested for 183 days; a year can be audited",
    ),
    Term(
        kind=TermKind.CONTESTED,
        days=1100,
        what=f"{_PARTS} of images with an appeal, from its end",
        why="three years, in which a dispute can go to court",
    ),
    Term(
        kind=TermKind.EVENTS,
        days=30,
        what="webhook events that were handed out, their deliveries and attempts, once ended",
        why="they can be redelivered as long",
    ),
    Term(kind=TermKind.CLAIMS, days=90, what="reviewers' claims on tasks that are closed", why="reviews say who answered"),
    Term(
        kind=TermKind.ROW_ERRORS, days=90, what="refused rows of batches that ended; their count stays", why="submitters read them at once"
    ),
    Term(kind=TermKind.INTAKES, days=30, what="the intake worker's notes on sources that were read", why="for looking into a slow intake"),
    Term(kind=TermKind.KEYS, days=400, what="API keys that expired or were revoked", why="the audit trail names them by prefix"),
    Term(kind=TermKind.SECRETS, days=7, what="webhook secrets that no longer sign", why="nothing needs them"),
    Term(kind=TermKind.SESSIONS, days=30, what="sessions of people that ended", why="the audit trail says who signed in"),
)


def markdown() -> str:
    """The README's table."""
    head = "| term | days | what ends | why then |\n|---|---|---|---|\n"
    return head + "\n".join(f"| `{term.kind}` | {term.days} | {term.what} | {term.why} |" for term in TERMS)
