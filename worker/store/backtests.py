"""Back-testing: routing with a version what was judged before it, in shadow, a stretch at a time. Nobody acts on it.

A stretch is bounded by the items it looks at, not by those it finds: however few match, a call takes a second at most. Run twice, it
writes nothing the second time, since a version routes an outcome once; so its comparison never counts one twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.moderation.calibration import measured_accuracies
from worker.moderation.policy import PolicyVersion, Routing, route
from worker.moderation.release import Training
from worker.store import audit
from worker.store.batches import find_batch
from worker.store.outcome_rows import judged
from worker.store.policy_reading import read_version

STRETCH_ITEMS = 5_000  # looked at per call
STRETCH_BATCHES = 200  # looked at per call: a tenant may have a million batches of one item

BATCHES = text(
    """
    -- batches to back-test: those of the policy, or the one that is named, in order, which may have outcomes of the time
    SELECT id, items_accepted FROM batches
     WHERE tenant_id = :tenant_id AND id >= :first AND (id = :batch_id OR CAST(:batch_id AS uuid) IS NULL AND policy = :policy)
       AND (CAST(:hours AS integer) IS NULL OR finished_at IS NULL OR finished_at >= now() - make_interval(hours => :hours))
     ORDER BY id LIMIT :limit
    """
)
CURRENT = text(
    """
    -- current outcomes: the newest of each item in a range of ordinals, if it was judged within the time
    SELECT * FROM (
        SELECT DISTINCT ON (o.ordinal) o.ordinal, o.revision, o.kind, o.verdict, o.p_generated, o.scan_verdict,
               o.degradation_band, r.training, r.facts #> '{degradation,bands}' AS bands, o.created_at, f.score_drop, f.control_drop,
               f.error_code AS check_error
          FROM outcomes AS o LEFT JOIN releases AS r ON r.id = o.release_id
          LEFT JOIN faithfulness_checks AS f ON (f.batch_id, f.ordinal, f.revision) = (o.batch_id, o.ordinal, o.revision)
         WHERE o.batch_id = :batch_id AND o.ordinal > :after AND o.ordinal <= :last
         ORDER BY o.ordinal, o.revision DESC) AS newest
     WHERE CAST(:hours AS integer) IS NULL OR created_at >= now() - make_interval(hours => :hours)
    """
)
WRITE = text(
    """
    -- write back-tested routings: a version routes an outcome once, live or in shadow
    INSERT INTO routings (batch_id, ordinal, revision, policy_version, mode, route, reason)
    SELECT :batch_id, t.ordinal, t.revision, :version, 'shadow', t.route, t.reason
      FROM unnest(CAST(:ordinals AS integer[]), CAST(:revisions AS smallint[]), CAST(:routes AS text[]), CAST(:reasons AS text[]))
           AS t (ordinal, revision, route, reason)
    ON CONFLICT DO NOTHING RETURNING 1
    """
)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which outcomes: of one batch, whatever its policy, or of the version's policy; and judged within so many hours, if said."""

    batch_id: UUID | None = None
    hours: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which item a stretch begins."""

    batch_id: UUID
    ordinal: int


EVERYTHING = Reach()
START = Place(UUID(int=0), -1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """`outcomes` were in reach, of which `routed` had not been routed by the version; `after` is where to go on, None at the end."""

    outcomes: int
    routed: int
    after: Place | None


def backtest(
    session: Session, tenant_id: str, policy: str, version: int, *, reach: Reach = EVERYTHING, after: Place = START, actor: str
) -> Stretch:
    """Routes the next stretch. Raises RejectedError: version_missing, batch_missing."""
    tested = read_version(session, tenant_id, policy, version).version
    if reach.batch_id is not None:
        find_batch(session, reach.batch_id, tenant_id=tenant_id)
    parameters = {"tenant_id": tenant_id, "policy": policy, "batch_id": reach.batch_id, "hours": reach.hours}
    batches = session.execute(BATCHES, {**parameters, "first": after.batch_id, "limit": STRETCH_BATCHES + 1}).all()
    room, outcomes, routed, reached = STRETCH_ITEMS, 0, 0, after
    for batch in batches[:STRETCH_BATCHES]:
        begin = after.ordinal if batch.id == after.batch_id else -1
        last = min(begin + room, batch.items_accepted - 1)
        found = session.execute(CURRENT, {"batch_id": batch.id, "after": begin, "last": last, "hours": reach.hours}).all()
        outcomes += len(found)
        routed += _write(session, batch.id, tested, found)
        room -= last - begin
        reached = Place(batch.id, last)
        if room == 0:
            break
    more = bool(batches) and (reached.batch_id != batches[-1].id or reached.ordinal < batches[-1].items_accepted - 1)
    if routed:
        detail = {"version": tested.name, "outcomes": outcomes, "routed": routed}
        audit.record(session, actor=actor, action="policy.backtested", tenant_id=tenant_id, batch_id=reach.batch_id, detail=detail)
    return Stretch(outcomes, routed, reached if more else None)


def _write(session: Session, batch_id: UUID, version: PolicyVersion, found: Sequence[Row[Any]]) -> int:
    routings = [(row, routing) for row in found if (routing := _route(row, version)) is not None]
    if not routings:
        return 0
    columns = {
        "ordinals": [row.ordinal for row, _ in routings],
        "revisions": [row.revision for row, _ in routings],
        "routes": [routing.route.value for _, routing in routings],
        "reasons": [routing.reason for _, routing in routings],
    }
    return len(session.execute(WRITE, {"batch_id": batch_id, "version": version.name, **columns}).all())


def _route(row: Row[Any], version: PolicyVersion) -> Routing | None:
    """As it would have been routed when it was judged."""
    return route(judged(row), version, scores_mean_something=row.training == Training.TRAINED, accuracies=measured_accuracies(row.bands))
