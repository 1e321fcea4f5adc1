"""Tenants, and what each has from its first moment: a default policy, and the queues that it sends images to."""

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.policy import DEFAULT_BANDS, DEFAULT_POLICY, PolicyVersion
from worker.moderation.review import APPEALS_QUEUE, DEFAULT_QUEUE
from worker.store.models import PolicyRow, ReviewQueueRow, TenantRow
from worker.store.models.policies import VersionState
from worker.store.policies import insert_version

GIVER = "zoomin"  # who wrote a tenant's first version
FIRST_VERSION = PolicyVersion(policy=DEFAULT_POLICY, version=1, bands=DEFAULT_BANDS, queue=DEFAULT_QUEUE)


def ensure_tenant(session: Session, tenant_id: str, first: PolicyVersion = FIRST_VERSION) -> None:
    """Makes the tenant, with its default policy and queues, if it is not known yet. `first` is what decides in the beginning."""
    made = session.execute(postgresql.insert(TenantRow).values(id=tenant_id).on_conflict_do_nothing().returning(TenantRow.id)).one_or_none()
    if made is None:
        return
    session.execute(insert(ReviewQueueRow), [{"tenant_id": tenant_id, "name": name} for name in (DEFAULT_QUEUE, APPEALS_QUEUE)])
    session.execute(insert(PolicyRow).values(tenant_id=tenant_id, name=first.policy, description="Thresholds to begin with"))
    insert_version(session, tenant_id, first, state=VersionState.LIVE, actor=GIVER)
