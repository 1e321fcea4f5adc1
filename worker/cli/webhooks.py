"""`zoomin webhooks …`: endpoints that are told of events, what became of each delivery, and the sender itself."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import signal
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from worker.cli.batches import JsonOption, actor
from worker.cli.endings import Commands
from worker.cli.services import Services, locate_services, located
from worker.cli.terminal import console, report, say
from worker.moderation.errors import RejectedError
from worker.moderation.settings import load_settings

if TYPE_CHECKING:
    from worker.store.webhook_endpoints import NewSecret

EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The id that `zoomin webhooks list` shows.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Whose. (default: ZOOMIN_TENANT)", show_default=False)]
TypesOption = Annotated[
    str, typer.Option("--types", metavar="TYPES", help="Event types, separated by commas, say: batch.completed,item.failed")
]

webhooks = typer.Typer(cls=Commands, no_args_is_help=True, help="Tell other systems of events: signed HTTP POSTs, tried again for a day.")


@webhooks.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://… of the receiver.")],
    types: TypesOption = "batch.completed",
    description: Annotated[str, typer.Option(help="Your own words for it.")] = "",
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an endpoint. Its secret is shown now and never again."""
    services = locate_services()
    from worker.moderation.targets import checked_target
    from worker.store.sealing import sealer
    from worker.store.session import transaction
    from worker.store.webhook_endpoints import create_endpoint

    keys = sealer(services.settings)
    target = checked_target(url, private_targets=services.settings.webhook_private_targets)
    wanted = [name.strip() for name in types.split(",") if name.strip()]
    with transaction(services.engine) as session:
        made = create_endpoint(
            session,
            tenant_id=_tenant(services, tenant),
            target=target,
            types=wanted,
            description=description,
            sealer=keys,
            actor=actor(),
        )
    _show_secret(made, as_json=as_json)


@webhooks.command("list")
def list_all(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """List the endpoints, oldest first."""
    services = locate_services()
    from worker.cli.webhook_tables import endpoint_json, print_endpoints
    from worker.exports.jsonl import json_line
    from worker.store.session import transaction
    from worker.store.webhook_endpoints import list_endpoints

    with transaction(services.engine) as session:
        found = list_endpoints(session, tenant_id=_tenant(services, tenant))
    if as_json:
        for endpoint in found:
            sys.stdout.write(json_line(endpoint_json(endpoint)))
    elif found:
        print_endpoints(found, console())
    else:
        say("No webhook endpoints yet. Add one: zoomin webhooks add https://…")


@webhooks.command()
def rotate(
    endpoint: EndpointArgument,
    overlap_hours: Annotated[float, typer.Option(min=0, max=168, help="For so long the old secret signs, too.")] = 24,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new secret. Until the overlap ends every message is signed with both."""
    services = locate_services()
    from worker.store.sealing import sealer
    from worker.store.session import transaction
    from worker.store.webhook_endpoints import rotate_secret

    keys = sealer(services.settings)
    with transaction(services.engine) as session:
        made = rotate_secret(
            session,
            _parse(endpoint),
            tenant_id=_tenant(services, tenant),
            sealer=keys,
            overlap=timedelta(hours=overlap_hours),
            actor=actor(),
        )
    _show_secret(made, as_json=as_json)


@webhooks.command()
def pause(endpoint: EndpointArgument, tenant: TenantOption = None) -> None:
    """Hold deliveries back. They wait until it is resumed."""
    services = locate_services()
    from worker.store.session import transaction
    from worker.store.webhook_endpoints import pause_endpoint

    with transaction(services.engine) as session:
        found = pause_endpoint(session, _parse(endpoint), tenant_id=_tenant(services, tenant), actor=actor())
    report(f"Endpoint {found.id} is {found.state}.")


@webhooks.command()
def resume(endpoint: EndpointArgument, tenant: TenantOption = None) -> None:
    """Send again, beginning with what waits."""
    services = locate_services()
    from worker.store.session import transaction
    from worker.store.webhook_endpoints import resume_endpoint

    with transaction(services.engine) as session:
        found = resume_endpoint(session, _parse(endpoint), tenant_id=_tenant(services, tenant), actor=actor())
    report(f"Endpoint {found.id} is {found.state}.")


@webhooks.command()
def remove(endpoint: EndpointArgument, tenant: TenantOption = None) -> None:
    """Disable an endpoint for good. What became of its deliveries stays on record."""
    services = locate_services()
    from worker.store.session import transaction
    from worker.store.webhook_endpoints import remove_endpoint

    with transaction(services.engine) as session:
        found = remove_endpoint(session, _parse(endpoint), tenant_id=_tenant(services, tenant), actor=actor())
    report(f"Endpoint {found.id} is {found.state}.")


@webhooks.command("test")
def send_test(endpoint: EndpointArgument, tenant: TenantOption = None) -> None:
    """Send a `webhook.test` event to one endpoint."""
    services = locate_services()
    from worker.moderation.identifiers import event_id
    from worker.store.session import transaction
    from worker.store.webhook_deliveries import send_test as send

    with transaction(services.engine) as session:
        sent = send(session, _parse(endpoint), tenant_id=_tenant(services, tenant), actor=actor())
    report(event_id(sent))
    say(f"See what became of it: zoomin webhooks deliveries {endpoint}")


@webhooks.command()
def deliveries(
    endpoint: EndpointArgument,
    state: Annotated[str | None, typer.Option(help="Only these: pending, delivered or failed.", show_default=False)] = None,
    before: Annotated[str | None, typer.Option(metavar="EVENT", help="Only events before this one: the next page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was sent to an endpoint, and how that ended."""
    services = locate_services()
    from worker.cli.webhook_tables import delivery_json, print_deliveries
    from worker.exports.jsonl import json_line
    from worker.moderation.identifiers import parse_event_id
    from worker.store.models.webhooks import DeliveryState
    from worker.store.session import transaction
    from worker.store.webhook_deliveries import list_deliveries

    if state is not None and state not in set(DeliveryState):
        raise typer.BadParameter(f"{state!r}: choose from {', '.join(DeliveryState)}.", param_hint="--state")
    with transaction(services.engine) as session:
        found = list_deliveries(
            session,
            _parse(endpoint),
            tenant_id=_tenant(services, tenant),
            state=DeliveryState(state) if state else None,
            before=parse_event_id(before) if before else None,
            limit=limit,
        )
    if as_json:
        for delivery in found:
            sys.stdout.write(json_line(delivery_json(delivery)))
    elif found:
        print_deliveries(found, console())
    else:
        say("No such deliveries.")


@webhooks.command()
def redeliver(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="evt_…, as `zoomin webhooks deliveries` shows it.")],
    endpoint: Annotated[
        str | None, typer.Option(help="Only to this one. (default: to all that had it or want it)", show_default=False)
    ] = None,
    tenant: TenantOption = None,
) -> None:
    """Send an event again, under its old id."""
    services = locate_services()
    from worker.moderation.identifiers import parse_event_id
    from worker.store.session import transaction
    from worker.store.webhook_deliveries import redeliver as send_again

    only = _parse(endpoint) if endpoint else None
    with transaction(services.engine) as session:
        number = send_again(session, parse_event_id(event), tenant_id=_tenant(services, tenant), endpoint_id=only, actor=actor())
    report(f"{event} is sent again to {number} endpoint{'' if number == 1 else 's'}.")


@webhooks.command()
def run() -> None:
    """Run the sender until SIGINT or SIGTERM. Several may run."""
    settings = located(load_settings())
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    from worker.queue.logs import configure_logs
    from worker.queue.metrics import serve_metrics
    from worker.webhooks.sender import run_sender

    configure_logs(settings.log_level)
    server = serve_metrics(settings.api_host, settings.webhooks_metrics_port)
    try:
        run_sender(settings, stop)
    finally:
        server.close()


def _show_secret(made: "NewSecret", *, as_json: bool) -> None:
    from worker.cli.webhook_tables import endpoint_json
    from worker.exports.jsonl import json_line

    if as_json:
        sys.stdout.write(json_line({**endpoint_json(made.endpoint), "secret": made.secret}))
        return
    report(made.secret)
    say(f"That is the secret of endpoint {made.endpoint.id}. Keep it now: it is not shown again.")


def _tenant(services: Services, tenant: str | None) -> str:
    return tenant or services.settings.tenant


def _parse(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise RejectedError(
            "webhook_endpoint_malformed", f"{text[:80]!r} is not an endpoint's id. `zoomin webhooks list` has them."
        ) from None
