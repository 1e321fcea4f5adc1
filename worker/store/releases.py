"""Releases: every fact that can change a score, kept once under its hash."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.moderation.release import Release
from worker.store.models import ReleaseRow
from worker.store.outcome_rows import storable


def ensure_release(session: Session, release: Release) -> None:
    """Keeps the release if it is not known yet."""
    row = {"id": release.id, "name": release.name, "training": release.training.value, "facts": storable(release.facts)}
    session.execute(insert(ReleaseRow).values(row).on_conflict_do_nothing())
