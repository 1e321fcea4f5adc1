"""Running a named statement and learning how many rows it changed."""

from typing import cast

from sqlalchemy import CursorResult, TextClause
from sqlalchemy.orm import Session


def rows_changed(session: Session, statement: TextClause, **parameters: object) -> int:
    """How many rows the statement inserted or updated."""
    return cast("CursorResult[object]", session.execute(statement, parameters)).rowcount
