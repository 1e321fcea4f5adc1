"""What the model said of an image, text by text, and the same in another language beside it."""

from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """Which of an outcome's texts."""

    EXPLANATION = "explanation"
    SCAN_EXPLANATION = "scan_explanation"
    REASON = "reason"
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Passage:
    """One text. `position` is its region's, None for the explanations."""

    field: Field
    position: int | None
    text: str

    @property
    def place(self) -> str:
        """How messages name it."""
        return self.field.value if self.position is None else f"{self.field.value} of region {self.position}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a translation is refused. `code` is stable; `message` quotes nothing of either text."""

    code: str
    message: str
