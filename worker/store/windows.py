"""Filtered listings that cost the same however rare what they look for is: each page looks at a window of rows and no further.

A page may therefore be short, even empty, before the end. Whoever goes on behind its position gets the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, TextClause
from sqlalchemy.orm import Session

WINDOW = 10_000  # rows: some 20 ms


@dataclass(frozen=True, slots=True)
class Window:
    """Rows that were found; where to go on, now or later; and whether there is more at this moment."""

    rows: Sequence[Row[Any]]
    after: int
    more: bool


def read_window(session: Session, end: TextClause, page: TextClause, parameters: Mapping[str, object], *, after: int, limit: int) -> Window:
    """Up to `limit` rows by id, behind one.

    `end` selects `last` and `number` of the next :window ids behind :after, `page` up to :limit rows of ids in (:after, :last].
    """
    looked = session.execute(end, {**parameters, "after": after, "window": WINDOW}).one()
    if looked.last is None:
        return Window([], after, more=False)
    rows = session.execute(page, {**parameters, "after": after, "last": looked.last, "limit": limit + 1}).all()
    if len(rows) > limit:
        return Window(rows[:limit], rows[limit - 1].id, more=True)
    return Window(rows, looked.last, more=looked.number == WINDOW)
