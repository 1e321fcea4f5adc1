"""The golden set: images whose answer is known."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import WHOLE, Answer, RequestBody
from api.schemas.review import MOST_JUDGEMENTS, Corners


class GoldenSubmitted(RequestBody):
    """What is known of an image."""

    verdict: Literal["real", "generated"] = Field(description="The answer")
    boxes: list[Corners] = Field([], max_length=MOST_JUDGEMENTS, description="Where it was generated; empty: no box is known")
    note: str = Field("", max_length=2_000, description="How it is known, for people")
    revision: Annotated[int, Field(ge=1, le=32_767, description="Which outcome reviewers are shown; null: the newest"), WHOLE] | None = None


class GoldenItem(Answer):
    """An image whose answer is known."""

    item_id: str
    revision: int = Field(description="Which outcome reviewers are shown")
    verdict: Literal["real", "generated"]
    boxes: list[list[int]] = Field(description="Each [x0, y0, x1, y1] in pixels of the original after EXIF orientation")
    note: str
    added_by: str = Field(description="Who said last what the answer is; never asked themselves")
    added_at: datetime
    retired_by: str | None
    retired_at: datetime | None = Field(description="Nobody is asked about it from then on; null while it is in use")


class GoldenPage(Answer):
    """In the order of batches and items."""

    items: list[GoldenItem]
    next_cursor: str | None = Field(description="Null on the last page")
