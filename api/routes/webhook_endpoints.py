"""Webhook endpoints: add, change, pause, rotate, try, remove."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from api.answering import written
from api.describing import answers, link, problems
from api.paths import EndpointId
from api.preconditions import IfMatch, IfNoneMatch, etag_of, require_unchanged, tagged, tagged_answers
from api.schemas import webhooks as bodies
from api.security.principal import Admin, Principal
from api.services import ApiServices, Services
from worker.moderation.identifiers import event_id
from worker.moderation.targets import Target, checked_target
from worker.store import webhook_endpoints as store
from worker.store.sealing import sealer
from worker.store.session import transaction
from worker.store.webhook_deliveries import send_test

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks"])

OF_A_TARGET = (
    "webhook_target_malformed",
    "webhook_target_insecure",
    "webhook_target_port",
    "webhook_target_private",
    "webhook_target_unresolved",
)
OPERATIONS = (
    "readWebhookEndpoint",
    "changeWebhookEndpoint",
    "pauseWebhookEndpoint",
    "resumeWebhookEndpoint",
    "rotateWebhookSecret",
    "testWebhookEndpoint",
    "listDeliveries",
    "removeWebhookEndpoint",
)
FOLLOW: Mapping[str, Any] = {operation: link(operation, endpoint_id="$response.body#/id") for operation in OPERATIONS}
FIRST: Mapping[str, Any] = {operation: link(operation, endpoint_id="$response.body#/endpoints/0/id") for operation in OPERATIONS}
Found = TypeVar("Found")
ETAG = {"ETag": "For If-Match"}


@router.get(
    "", operation_id="listWebhookEndpoints", response_model=bodies.EndpointList, responses=answers(200, "The endpoints", links=FIRST)
)
def list_endpoints(principal: Admin, services: Services) -> Response:
    """List the endpoints that are not disabled, oldest first; there are 20 at most."""
    with transaction(services.engine) as session:
        found = store.list_endpoints(session, tenant_id=principal.tenant)
    return written(bodies.EndpointList(endpoints=[_endpoint(endpoint) for endpoint in found]))


@router.post(
    "",
    operation_id="addWebhookEndpoint",
    status_code=201,
    responses=answers(201, "Added; the secret is not shown again", links=FOLLOW, headers={"Location": "The endpoint"})
    | problems(*OF_A_TARGET, "webhook_endpoints_full", "misconfigured"),
)
async def add_endpoint(
    body: bodies.EndpointSubmitted, principal: Admin, services: Services, response: Response
) -> bodies.EndpointWithSecret:
    """Add an endpoint. The answer alone shows its secret."""
    keys = sealer(services.settings)
    target = await _target(services, body.url)
    add = partial(
        store.create_endpoint,
        tenant_id=principal.tenant,
        target=target,
        types=body.types,
        description=body.description,
        sealer=keys,
        actor=principal.actor,
    )
    made = await services.on_database(partial(_within, services, add))
    response.headers["Location"] = f"/v1/webhook-endpoints/{made.endpoint.id}"
    return _with_secret(made)


@router.get(
    "/{endpoint_id:segment}",
    operation_id="readWebhookEndpoint",
    response_model=bodies.Endpoint,
    responses=tagged_answers("The endpoint", links=FOLLOW) | problems("not_found"),
)
def read_endpoint(endpoint_id: EndpointId, principal: Admin, services: Services, if_none_match: IfNoneMatch = None) -> Response:
    """See an endpoint, a disabled one too, and whether it fails. Its ETag is what a change must name."""
    with transaction(services.engine) as session:
        found = store.find_endpoint(session, endpoint_id, tenant_id=principal.tenant)
    return tagged(_endpoint(found), if_none_match)


@router.patch(
    "/{endpoint_id:segment}",
    operation_id="changeWebhookEndpoint",
    responses=answers(200, "As it is now", links=FOLLOW, headers=ETAG)
    | problems("not_found", "precondition_missing", "precondition_failed", "webhook_endpoint_disabled", *OF_A_TARGET),
)
async def change_endpoint(
    endpoint_id: EndpointId, body: bodies.EndpointChanges, if_match: IfMatch, principal: Admin, services: Services, response: Response
) -> bodies.Endpoint:
    """Change an endpoint's URL, types or description, if it is still as it was seen. What is on its way goes to the new URL."""
    target = await _target(services, body.url) if body.url is not None else None
    change = partial(
        store.update_endpoint,
        endpoint_id=endpoint_id,
        tenant_id=principal.tenant,
        actor=principal.actor,
        target=target,
        types=body.types,
        description=body.description,
        seen=lambda found: require_unchanged(if_match, etag_of(_endpoint(found))),
    )
    changed = _endpoint(await services.on_database(partial(_within, services, change)))
    response.headers["ETag"] = etag_of(changed)
    return changed


@router.delete(
    "/{endpoint_id:segment}",
    operation_id="removeWebhookEndpoint",
    responses=answers(200, "Disabled for good") | problems("not_found"),
)
def remove_endpoint(endpoint_id: EndpointId, principal: Admin, services: Services) -> bodies.Endpoint:
    """Disable an endpoint for good. It can still be read, and what became of its deliveries: that is a record."""
    return _moved(services, principal, store.remove_endpoint, endpoint_id)


@router.post(
    "/{endpoint_id:segment}:pause",
    operation_id="pauseWebhookEndpoint",
    responses=answers(200, "Paused", links=FOLLOW) | problems("not_found", "webhook_endpoint_disabled"),
)
def pause_endpoint(endpoint_id: EndpointId, principal: Admin, services: Services) -> bodies.Endpoint:
    """Hold deliveries back: they wait until the endpoint is resumed."""
    return _moved(services, principal, store.pause_endpoint, endpoint_id)


@router.post(
    "/{endpoint_id:segment}:resume",
    operation_id="resumeWebhookEndpoint",
    responses=answers(200, "Active", links=FOLLOW) | problems("not_found", "webhook_endpoint_disabled"),
)
def resume_endpoint(endpoint_id: EndpointId, principal: Admin, services: Services) -> bodies.Endpoint:
    """Send again, beginning with what waits. Its failures are forgotten."""
    return _moved(services, principal, store.resume_endpoint, endpoint_id)


@router.post(
    "/{endpoint_id:segment}:rotate",
    operation_id="rotateWebhookSecret",
    responses=answers(200, "The new secret; it is not shown again", links=FOLLOW)
    | problems("not_found", "webhook_endpoint_disabled", "misconfigured"),
)
def rotate_secret(
    endpoint_id: EndpointId, principal: Admin, services: Services, body: bodies.Rotation | None = None
) -> bodies.EndpointWithSecret:
    """Make a new secret. Until the overlap ends every message is signed with both, so that receivers can change over."""
    keys = sealer(services.settings)
    overlap = timedelta(seconds=body.overlap_seconds) if body else store.OVERLAP
    with transaction(services.engine) as session:
        made = store.rotate_secret(session, endpoint_id, tenant_id=principal.tenant, sealer=keys, overlap=overlap, actor=principal.actor)
    return _with_secret(made)


@router.post(
    "/{endpoint_id:segment}:test",
    operation_id="testWebhookEndpoint",
    status_code=202,
    responses=answers(
        202,
        "On its way",
        links={"delivery": link("readDelivery", endpoint_id="$response.body#/endpoint_id", event_id="$response.body#/event_id")},
    )
    | problems("not_found", "webhook_endpoint_disabled"),
)
def test_endpoint(endpoint_id: EndpointId, principal: Admin, services: Services) -> bodies.TestSent:
    """Send a `webhook.test` event to this endpoint alone. Its delivery tells whether it arrived."""
    with transaction(services.engine) as session:
        sent = send_test(session, endpoint_id, tenant_id=principal.tenant, actor=principal.actor)
    return bodies.TestSent(endpoint_id=endpoint_id, event_id=event_id(sent))


async def _target(services: ApiServices, url: str) -> Target:
    """The target, judged by what its name resolves to. Raises RejectedError."""
    return await services.looking_up(partial(checked_target, url, private_targets=services.settings.webhook_private_targets))


def _within(services: ApiServices, work: Callable[[Session], Found]) -> Found:
    with transaction(services.engine) as session:
        return work(session)


def _moved(services: ApiServices, principal: Principal, move: Callable[..., store.Endpoint], endpoint_id: EndpointId) -> bodies.Endpoint:
    with transaction(services.engine) as session:
        return _endpoint(move(session, endpoint_id, tenant_id=principal.tenant, actor=principal.actor))


def _endpoint(found: store.Endpoint) -> bodies.Endpoint:
    return bodies.Endpoint(
        id=found.id,
        url=found.url,
        types=list(found.types),
        description=found.description,
        state=found.state,
        state_reason=found.state_reason,
        failing_since=found.failing_since,
        created_at=found.created_at,
    )


def _with_secret(made: store.NewSecret) -> bodies.EndpointWithSecret:
    return bodies.EndpointWithSecret(**_endpoint(made.endpoint).model_dump(), secret=made.secret)
