"""Attention maps: record those that a job has drawn, find them, and say of a batch how far its maps lie in the named boxes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, insert, select, text
from sqlalchemy.orm import Session

from worker.moderation.attention import JOB_KEY, POLICY_ACTOR, DrawnMaps
from worker.moderation.errors import OutageError, RejectedError
from worker.moderation.explanation_jobs import AskedJob, Job, JobKind
from worker.moderation.identifiers import new_uuid7
from worker.moderation.opening import OutcomePlace, drawn
from worker.moderation.outcomes import Outcome, OutcomeKind, RetentionClass
from worker.moderation.policy import PolicyVersion
from worker.store import audit
from worker.store.evidence import keep_evidence
from worker.store.explanation_jobs import ask_for, ask_for_all
from worker.store.items import StoredEvidence
from worker.store.models import AttentionMapRow, AttentionTargetRow, BatchRow, ExplanationJobRow, ReleaseRow
from worker.store.outcome_rows import Place, storable

CLASS = text(
    """
    -- class: how long the evidence of the outcome itself is kept
    SELECT e.retention_class FROM outcomes AS o JOIN evidence AS e ON e.sha256 = o.sent_sha256
     WHERE (o.batch_id, o.ordinal, o.revision) = (:batch_id, :ordinal, :revision)
    """
)
FILE = text(
    """
    -- file: an evidence object of a tenant's maps: the arrays, or a target's layer or overlay
    SELECT m.batch_id, m.ordinal, m.revision, e.sha256, e.bucket, e.key, e.media_type, e.byte_count
      FROM attention_maps AS m
      LEFT JOIN attention_targets AS t ON t.map_id = m.id AND t.name = :target
      LEFT JOIN evidence AS e ON e.removed_at IS NULL
           AND e.sha256 = CASE :file WHEN 'values' THEN m.values_sha256 WHEN 'layer' THEN t.layer_sha256 ELSE t.overlay_sha256 END
     WHERE m.id = :id AND m.tenant_id = :tenant_id
    """
)
FIGURES = text(
    """
    -- figures: of a batch's maps, drawn by policy and asked for apart; masses and peaks where something generated was named
    SELECT m.sampled, count(*) AS maps, count(n.named) AS named,
           avg(m.mass_in_regions) FILTER (WHERE n.named) AS mass_in_regions,
           avg(m.mass_in_random) FILTER (WHERE n.named) AS mass_in_random,
           avg(m.pointing_game::int) FILTER (WHERE n.named)::float AS pointing_game,
           max(m.logprob_gap) AS logprob_gap, avg(m.seconds) AS seconds
      FROM attention_maps AS m
      JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (m.batch_id, m.ordinal, m.revision)
     CROSS JOIN LATERAL (SELECT CASE WHEN o.verdict = 'generated' AND m.mass_in_regions IS NOT NULL THEN true END AS named) AS n
     WHERE m.batch_id = :batch_id
     GROUP BY m.sampled
    """
)
WAITING = text(
    """
    -- waiting: how many maps wait that somebody of the tenant asked for, counted no further than matters; what a policy drew bars nobody
    SELECT count(*) FROM (SELECT FROM explanation_jobs WHERE kind = :kind AND tenant_id = :tenant_id AND lane = 0 AND state = 'waiting'
                           LIMIT :most + 1) AS waiting
    """
)
OPEN = text(
    """
    -- open: a batch's jobs of the kind that are not done
    SELECT count(*) FILTER (WHERE state <> 'failed') AS waiting, count(*) FILTER (WHERE state = 'failed') AS failed
      FROM explanation_jobs WHERE batch_id = :batch_id AND kind = :kind AND state <> 'done'
    """
)

MOST_WAITING = 200  # asked for by one tenant: half an hour of a worker's two cores; what a key that leaked can order at once


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMaps:
    """The maps of one outcome, as they were recorded."""

    row: AttentionMapRow
    training: str
    targets: Sequence[AttentionTargetRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFile:
    """A file of an outcome's maps; `stored` is None once retention has removed it."""

    batch_id: UUID
    ordinal: int
    revision: int
    stored: StoredEvidence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFigures:
    """Means over maps. Masses and peaks count where the verdict is “generated” and boxes were named: `named` maps."""

    maps: int = 0
    named: int = 0
    mass_in_regions: float | None = None
    mass_in_random: float | None = None
    pointing_game: float | None = None
    logprob_gap: float | None = None  # the largest
    seconds: float | None = None

    @property
    def ratio(self) -> float | None:
        """Mean mass in the regions over that in random boxes: 1 is chance."""
        return self.mass_in_regions / self.mass_in_random if self.mass_in_regions is not None and self.mass_in_random else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAttention:
    """Of a batch: what a policy sampled stands for the batch; what people asked for does not."""

    sampled: MapFigures
    asked_for: MapFigures
    waiting: int
    failed: int


def maps_job(tenant_id: str, place: OutcomePlace, *, asked_by: str, sampled: bool = False) -> AskedJob:
    """The job that draws an outcome's maps."""
    where: dict[str, Any] = {"batch_id": place.batch_id, "ordinal": place.ordinal, "revision": place.revision}
    return AskedJob(tenant_id=tenant_id, kind=JobKind.ATTENTION, key=JOB_KEY, asked_by=asked_by, sampled=sampled, **where)


def ask_for_maps(session: Session, wanted: AskedJob) -> RecordedMaps | ExplanationJobRow:
    """The maps of an outcome, or the job that draws them. The caller has seen that the tenant has the item.

    Raises RejectedError: item_erased, attention_maps_waiting.
    """
    there = next((maps for maps in item_maps(session, wanted.batch_id, wanted.ordinal) if maps.row.revision == wanted.revision), None)
    if there is not None:
        return there
    asked = ask_for(session, wanted)
    place = {"kind": JobKind.ATTENTION, "tenant_id": wanted.tenant_id, "most": MOST_WAITING}
    if asked.begun and session.execute(WAITING, place).scalar_one() > MOST_WAITING:
        raise RejectedError(
            "attention_maps_waiting", f"{MOST_WAITING} attention maps of yours wait already. Ask again when some of them are drawn."
        )
    return asked.job


def sample_maps(session: Session, place: Place, outcomes: Iterable[Outcome], live: PolicyVersion) -> None:
    """Asks for maps of that share of new verdicts which the live version wants. Nothing is asked of the database at a share of 0."""
    share = live.explaining.attention_share
    judged = (outcome.ordinal for outcome in outcomes if outcome.kind is OutcomeKind.VERDICT)
    places = [OutcomePlace(place.batch_id, ordinal, place.revision) for ordinal in judged]
    chosen = [one for one in places if drawn("attention", share, live, one)]
    if chosen:
        tenant = session.execute(select(BatchRow.tenant_id).filter_by(id=place.batch_id)).scalar_one()
        asker = POLICY_ACTOR + live.name
        ask_for_all(session, [maps_job(tenant, one, asked_by=asker, sampled=True) for one in chosen])


def record_maps(session: Session, job: Job, maps: DrawnMaps, *, bucket: str, actor: str) -> None:
    """Writes what a job has drawn, its files being stored, in the transaction that ends the job. Raises OutageError."""
    place: dict[str, Any] = {"batch_id": job.batch_id, "ordinal": job.ordinal, "revision": job.revision}
    kept = session.execute(CLASS, place).scalar_one_or_none()
    retention = RetentionClass(kept) if kept else RetentionClass.CASE
    wanted = [(facts, retention) for facts in maps.files]
    if keep_evidence(session, wanted, bucket=bucket, stored_since=job.claimed_at):
        raise OutageError("evidence_removed", "Evidence was removed from the bucket while the maps were drawn: drawn again.")
    map_id = new_uuid7()
    sampled = job.asked_by.startswith(POLICY_ACTOR)
    figures = ("method", "release_id", "logprob_gap", "mass_in_regions", "mass_in_random", "mass_in_placed", "pointing_game", "seconds")
    values = {**{name: getattr(maps, name) for name in figures}, "values_sha256": maps.values.sha256}
    session.execute(insert(AttentionMapRow).values(id=map_id, tenant_id=job.tenant_id, sampled=sampled, **place, **values))
    session.execute(insert(AttentionTargetRow), _target_rows(map_id, job, maps))
    audit.record(session, actor=actor, action="attention_map.drawn", payload_digest=maps.values.sha256, **place)


def find_maps(session: Session, tenant_id: str, map_id: UUID) -> RecordedMaps:
    """A tenant's maps of an outcome. Raises RejectedError `attention_map_unknown`."""
    found = _recorded(session, AttentionMapRow.id == map_id, AttentionMapRow.tenant_id == tenant_id)
    if not found:
        raise RejectedError("attention_map_unknown", f"There is no attention map {map_id}.")
    return found[0]


def item_maps(session: Session, batch_id: UUID, ordinal: int) -> list[RecordedMaps]:
    """Those of an item, the newest revision's first."""
    return _recorded(session, AttentionMapRow.batch_id == batch_id, AttentionMapRow.ordinal == ordinal)


def open_map_jobs(session: Session, batch_id: UUID, ordinal: int) -> Sequence[ExplanationJobRow]:
    """Jobs that are to draw maps of an item, or have failed to."""
    jobs = select(ExplanationJobRow).filter_by(batch_id=batch_id, ordinal=ordinal, kind=JobKind.ATTENTION)
    return session.execute(jobs.where(ExplanationJobRow.state != "done").order_by(ExplanationJobRow.revision.desc())).scalars().all()


def find_file(session: Session, tenant_id: str, map_id: UUID, file: str, target: str | None = None) -> MapFile:
    """The `values` of a tenant's maps, or the `layer` or `overlay` of one target. Raises RejectedError `attention_map_unknown`."""
    parameters = {"id": map_id, "tenant_id": tenant_id, "file": file, "target": target}
    row = session.execute(FILE, parameters).one_or_none()
    if row is None:
        raise RejectedError("attention_map_unknown", f"There is no attention map {map_id}.")
    stored = StoredEvidence(row.sha256, row.bucket, row.key, row.media_type, row.byte_count) if row.sha256 else None
    return MapFile(batch_id=row.batch_id, ordinal=row.ordinal, revision=row.revision, stored=stored)


def batch_attention(session: Session, batch_id: UUID) -> BatchAttention:
    """How far the maps of a batch lie in the named boxes, and how many are still to be drawn."""
    rows: Mapping[bool, MapFigures] = {row[0]: _figures(row) for row in session.execute(FIGURES, {"batch_id": batch_id})}
    left = session.execute(OPEN, {"batch_id": batch_id, "kind": JobKind.ATTENTION}).one()
    none = MapFigures()
    return BatchAttention(sampled=rows.get(True, none), asked_for=rows.get(False, none), waiting=left.waiting, failed=left.failed)


def _figures(row: Row[Any]) -> MapFigures:
    return MapFigures(**{name: value for name, value in row._asdict().items() if name != "sampled"})


def _recorded(session: Session, *conditions: ColumnElement[bool]) -> list[RecordedMaps]:
    query = select(AttentionMapRow, ReleaseRow.training).join(ReleaseRow, ReleaseRow.id == AttentionMapRow.release_id).where(*conditions)
    found = session.execute(query.order_by(AttentionMapRow.revision.desc())).all()
    targets: dict[UUID, list[AttentionTargetRow]] = {row.id: [] for row, _ in found}
    theirs = select(AttentionTargetRow).where(AttentionTargetRow.map_id.in_(targets)).order_by(AttentionTargetRow.position)
    for target in session.execute(theirs).scalars():
        targets[target.map_id].append(target)
    return [RecordedMaps(row=row, training=training, targets=targets[row.id]) for row, training in found]


def _target_rows(map_id: UUID, job: Job, maps: DrawnMaps) -> list[dict[str, Any]]:
    return [
        {
            "map_id": map_id,
            "position": position,
            "batch_id": job.batch_id,
            "ordinal": job.ordinal,
            "name": target.name,
            "stage": target.stage.value,
            "kind": target.kind,
            "number": target.number,
            "text": storable(target.text),
            "on_images": target.on_images,
            "layer_sha256": target.layer.sha256,
            "overlay_sha256": target.overlay.sha256,
        }
        for position, target in enumerate(maps.targets, 1)
    ]
