"""How far the making of data is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildProgress:
    """`doing` in words, and counts of photographs or pictures."""

    doing: str
    done: int
    total: int
