"""Tenants, and what each has from its first moment: a default policy, and the queues that it sends images to."""

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.policy import DEFAULT_BANDS, DEFAULT_POLICY
from worker.moderation.review import APPEALS_QUEUE, DEFAULT_QUEUE
from worker.store.models import PolicyBandRow, PolicyRow, PolicyVersionRow, ReviewQueueRow, TenantRow
from worker.store.models.policies import VersionState

GIVER = "zoomin"  # who wrote a tenant's first version


def ensure_tenant(session: Session, tenant_id: str) -> None:
    """Makes the tenant, with its default policy and queues, if it is not known yet."""
    made = session.execute(postgresql.insert(TenantRow).values(id=tenant_id).on_conflict_do_nothing().returning(TenantRow.id)).one_or_none()
    if made is None:
        return
    session.execute(insert(ReviewQueueRow), [{"tenant_id": tenant_id, "name": name} for name in (DEFAULT_QUEUE, APPEALS_QUEUE)])
    session.execute(insert(PolicyRow).values(tenant_id=tenant_id, name=DEFAULT_POLICY, description="Thresholds to begin with"))
    version = {"tenant_id": tenant_id, "policy": DEFAULT_POLICY, "version": 1}
    session.execute(insert(PolicyVersionRow).values(**version, state=VersionState.LIVE, queue=DEFAULT_QUEUE, created_by=GIVER))
    session.execute(
        insert(PolicyBandRow),
        [
            {**version, "verdict": said.verdict, "agreed": said.agreed, "pass_below": band.pass_below, "flag_from": band.flag_from}
            for said, band in DEFAULT_BANDS.items()
        ],
    )
