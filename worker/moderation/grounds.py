"""What a decision must rest on: a clause of the policy version that routed the image, and a reason. One rule for answers and overrides."""

from worker.moderation.errors import RejectedError
from worker.moderation.policy import PolicyVersion


def check_grounds(policy: PolicyVersion | None, *, clause: str | None, reason: str, decides: bool = True) -> None:
    """Returns when the version is content. `decides` is false of those who are unsure; without a version nothing is asked for.

    Raises RejectedError: clause_unknown, clause_required, reason_required.
    """
    known = {known.id for known in policy.clauses} if policy else set()
    if clause is not None and clause not in known:
        raise RejectedError("clause_unknown", f"{_name(policy)} has no clause {clause[:80]!r}. {_choices(known)}")
    if not decides or policy is None:
        return
    if known and clause is None:
        raise RejectedError("clause_required", f"{policy.name} asks which of its clauses this rests on. {_choices(known)}")
    if policy.reason_required and not reason.strip():
        raise RejectedError("reason_required", f"{policy.name} asks for a reason. Say in a sentence what you see.")


def _name(policy: PolicyVersion | None) -> str:
    return policy.name if policy else "An image that no policy version routed"


def _choices(known: set[str]) -> str:
    return f"Name one of: {', '.join(sorted(known))}." if known else "Leave the clause out."
