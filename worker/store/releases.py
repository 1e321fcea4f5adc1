"""Releases: every fact that can change a score, kept once under its hash."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.moderation.release import Release
from worker.store.models import ReleaseRow
from worker.store.outcome_rows import storable


def ensure_release(session: Session, release: Release) -> None:
    """Keeps the release if it is not known yet."""
    row = {"id": release.id, "name": release.name, "training": release.training.value, "facts": storable(release.facts)}
    session.execute(insert(ReleaseRow).values(row).on_conflict_do_nothing())


def read_facts(session: Session, ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """The facts of those releases that are known, by id."""
    found = session.execute(select(ReleaseRow.id, ReleaseRow.facts).where(ReleaseRow.id.in_(list(ids))))
    return {release.id: release.facts for release in found}
