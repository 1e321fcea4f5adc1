"""Webhook endpoints: adding, changing, pausing and removing them, and the rotation of their secrets. Every change is audited."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, text, update
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.events import EventType, parse_types
from worker.moderation.identifiers import new_uuid7
from worker.moderation.signatures import new_secret
from worker.moderation.targets import Target
from worker.moderation.text import clean
from worker.store import audit
from worker.store.models import TenantRow, WebhookEndpointRow, WebhookSecretRow
from worker.store.models.webhooks import EndpointState
from worker.store.sealing import Sealer
from worker.store.tenants import ensure_tenant

MOST_ENDPOINTS = 20  # of a tenant, disabled ones not counted: every event is multiplied by them
LONGEST_DESCRIPTION = 200  # characters
OVERLAP = timedelta(hours=24)  # both secrets sign for so long: a receiver is deployed once a day or oftener
LONGEST_OVERLAP = timedelta(days=7)

RETIRE = text(
    """
    -- retire: the present secret signs until the end of the overlap; one that was on its way out stops now, so that two live at most
    UPDATE webhook_secrets
       SET expires_at = CASE WHEN expires_at IS NULL THEN now() + :overlap ELSE least(expires_at, now()) END
     WHERE endpoint_id = :endpoint_id AND (expires_at IS NULL OR expires_at > now())
    """
)
LIVE_SECRETS = text(
    """
    -- live secrets of endpoints, the present one first
    SELECT endpoint_id, sealed FROM webhook_secrets
     WHERE endpoint_id = ANY(:endpoint_ids) AND (expires_at IS NULL OR expires_at > now())
     ORDER BY endpoint_id, id DESC
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint as its owner sees it."""

    id: UUID
    tenant_id: str
    url: str
    types: tuple[EventType, ...]
    description: str
    state: EndpointState
    state_reason: str | None
    failing_since: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewSecret:
    """An endpoint and a secret that was just made: the only time it is shown."""

    endpoint: Endpoint
    secret: str = field(repr=False)


def create_endpoint(
    session: Session, *, tenant_id: str, target: Target, types: Collection[str], description: str = "", sealer: Sealer, actor: str
) -> NewSecret:
    """An active endpoint at a target that was checked. Raises RejectedError: webhook_types_invalid, webhook_endpoints_full."""
    wanted = parse_types(types)
    ensure_tenant(session, tenant_id)
    session.execute(select(TenantRow.id).filter_by(id=tenant_id).with_for_update())  # two at once must not both be the last that fits
    open_ones = select(func.count()).select_from(WebhookEndpointRow).where(_open(tenant_id))
    if session.execute(open_ones).scalar_one() >= MOST_ENDPOINTS:
        raise RejectedError("webhook_endpoints_full", f"A tenant may have {MOST_ENDPOINTS} webhook endpoints. Remove one first.")
    endpoint_id = new_uuid7()
    facts = {"url": target.url, "types": [kind.value for kind in wanted], "description": clean(description, LONGEST_DESCRIPTION)}
    session.execute(insert(WebhookEndpointRow).values(id=endpoint_id, tenant_id=tenant_id, **facts))
    secret = _add_secret(session, endpoint_id, sealer)
    _note(session, actor, "created", endpoint_id, tenant_id, host=target.host, types=facts["types"])
    return NewSecret(find_endpoint(session, endpoint_id, tenant_id=tenant_id), secret)


def find_endpoint(session: Session, endpoint_id: UUID, *, tenant_id: str) -> Endpoint:
    """The tenant's endpoint, disabled ones included. Raises RejectedError `webhook_endpoint_missing`, for others' too."""
    query = select(WebhookEndpointRow.__table__).where(WebhookEndpointRow.id == endpoint_id, WebhookEndpointRow.tenant_id == tenant_id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise RejectedError("webhook_endpoint_missing", f"There is no webhook endpoint {endpoint_id}.")
    return _endpoint(row)


def list_endpoints(session: Session, *, tenant_id: str) -> list[Endpoint]:
    """The tenant's endpoints that are not disabled, oldest first."""
    query = select(WebhookEndpointRow.__table__).where(_open(tenant_id)).order_by(WebhookEndpointRow.id)
    return [_endpoint(row) for row in session.execute(query)]


def update_endpoint(
    session: Session,
    endpoint_id: UUID,
    *,
    tenant_id: str,
    actor: str,
    target: Target | None = None,
    types: Collection[str] | None = None,
    description: str | None = None,
    seen: Callable[[Endpoint], None] = lambda _: None,
) -> Endpoint:
    """Changes what is given, unless `seen` raises for how it stands.

    Raises RejectedError: webhook_endpoint_missing, webhook_endpoint_disabled, webhook_types_invalid.
    """
    seen(_lock_open(session, endpoint_id, tenant_id))
    changes: dict[str, object] = {}
    if target is not None:
        changes["url"] = target.url
    if types is not None:
        changes["types"] = [kind.value for kind in parse_types(types)]
    if description is not None:
        changes["description"] = clean(description, LONGEST_DESCRIPTION)
    if changes:
        session.execute(update(WebhookEndpointRow).where(WebhookEndpointRow.id == endpoint_id).values(**changes))
        _note(session, actor, "updated", endpoint_id, tenant_id, changed=sorted(changes))
    return find_endpoint(session, endpoint_id, tenant_id=tenant_id)


def pause_endpoint(session: Session, endpoint_id: UUID, *, tenant_id: str, reason: str = "paused by its owner", actor: str) -> Endpoint:
    """Holds deliveries back until it is resumed. Raises RejectedError: webhook_endpoint_missing, webhook_endpoint_disabled."""
    _lock_open(session, endpoint_id, tenant_id)
    set_state(session, endpoint_id, EndpointState.PAUSED, reason=clean(reason, LONGEST_DESCRIPTION), actor=actor)
    return find_endpoint(session, endpoint_id, tenant_id=tenant_id)


def resume_endpoint(session: Session, endpoint_id: UUID, *, tenant_id: str, actor: str) -> Endpoint:
    """Sends again, what waits first; its failures are forgotten. Raises RejectedError as `pause_endpoint` does."""
    _lock_open(session, endpoint_id, tenant_id)
    set_state(session, endpoint_id, EndpointState.ACTIVE, reason=None, actor=actor)
    forgotten = {"failing_since": None, "failures": 0, "rests_until": None}
    session.execute(update(WebhookEndpointRow).where(WebhookEndpointRow.id == endpoint_id).values(**forgotten))
    return find_endpoint(session, endpoint_id, tenant_id=tenant_id)


def remove_endpoint(session: Session, endpoint_id: UUID, *, tenant_id: str, actor: str) -> Endpoint:
    """Disables it for good; its history stays. Removing again changes nothing. Raises RejectedError `webhook_endpoint_missing`."""
    endpoint = find_endpoint(session, endpoint_id, tenant_id=tenant_id)
    if endpoint.state is not EndpointState.DISABLED:
        set_state(session, endpoint_id, EndpointState.DISABLED, reason="removed by its owner", actor=actor)
    return find_endpoint(session, endpoint_id, tenant_id=tenant_id)


def rotate_secret(
    session: Session, endpoint_id: UUID, *, tenant_id: str, sealer: Sealer, overlap: timedelta = OVERLAP, actor: str
) -> NewSecret:
    """A new secret; the one before signs beside it for `overlap`. Raises RejectedError, also `webhook_overlap_invalid`."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise RejectedError("webhook_overlap_invalid", f"Old secrets stay live for 0 s to {LONGEST_OVERLAP.total_seconds():,.0f} s.")
    _lock_open(session, endpoint_id, tenant_id)
    session.execute(RETIRE, {"endpoint_id": endpoint_id, "overlap": overlap})
    secret = _add_secret(session, endpoint_id, sealer)
    _note(session, actor, "secret_rotated", endpoint_id, tenant_id, overlap_seconds=int(overlap.total_seconds()))
    return NewSecret(find_endpoint(session, endpoint_id, tenant_id=tenant_id), secret)


def live_secrets(session: Session, endpoint_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """The sealed secrets that sign now, the newest first."""
    found: dict[UUID, list[str]] = {}
    for row in session.execute(LIVE_SECRETS, {"endpoint_ids": list(endpoint_ids)}):
        found.setdefault(row.endpoint_id, []).append(row.sealed)
    return found


def set_state(session: Session, endpoint_id: UUID, state: EndpointState, *, reason: str | None, actor: str) -> bool:
    """Changes an endpoint's state, with its audit event, unless it is disabled or has it already: whether it did."""
    changeable = (WebhookEndpointRow.id == endpoint_id, WebhookEndpointRow.state.not_in((EndpointState.DISABLED, state)))
    changed = update(WebhookEndpointRow).where(*changeable).values(state=state.value, state_reason=reason)
    tenant_id = session.execute(changed.returning(WebhookEndpointRow.tenant_id)).scalar_one_or_none()
    if tenant_id is None:
        return False
    verb = {EndpointState.ACTIVE: "resumed", EndpointState.PAUSED: "paused", EndpointState.DISABLED: "disabled"}[state]
    _note(session, actor, verb, endpoint_id, tenant_id, reason=reason)
    return True


def _add_secret(session: Session, endpoint_id: UUID, sealer: Sealer) -> str:
    secret = new_secret()
    session.execute(insert(WebhookSecretRow).values(endpoint_id=endpoint_id, sealed=sealer.seal(secret, str(endpoint_id))))
    return secret


def _lock_open(session: Session, endpoint_id: UUID, tenant_id: str) -> Endpoint:
    session.execute(select(WebhookEndpointRow.id).filter_by(id=endpoint_id, tenant_id=tenant_id).with_for_update(key_share=True))
    endpoint = find_endpoint(session, endpoint_id, tenant_id=tenant_id)
    if endpoint.state is EndpointState.DISABLED:
        raise RejectedError("webhook_endpoint_disabled", f"Webhook endpoint {endpoint_id} is disabled for good. Add a new one.")
    return endpoint


def _open(tenant_id: str) -> ColumnElement[bool]:
    return and_(WebhookEndpointRow.tenant_id == tenant_id, WebhookEndpointRow.state != EndpointState.DISABLED.value)


def _note(session: Session, actor: str, verb: str, endpoint_id: UUID, tenant_id: str, **facts: object) -> None:
    audit.record(
        session, actor=actor, action=f"webhook_endpoint.{verb}", tenant_id=tenant_id, detail={"endpoint": str(endpoint_id), **facts}
    )


def _endpoint(row: Row[tuple[object, ...]]) -> Endpoint:
    return Endpoint(
        id=row.id,
        tenant_id=row.tenant_id,
        url=row.url,
        types=tuple(EventType(name) for name in row.types),
        description=row.description,
        state=EndpointState(row.state),
        state_reason=row.state_reason,
        failing_since=row.failing_since,
        created_at=row.created_at,
    )
