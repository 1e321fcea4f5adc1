"""Liveness, readiness, metrics: three questions that different machinery asks, with different consequences.

**Liveness** (`/healthz`) asks whether this process should be restarted. It touches nothing outside: were Postgres down, restarting every
API would mend nothing and add a thundering herd. **Readiness** (`/readyz`) asks whether requests should be sent here: 503 while Postgres,
its schema or S3 is missing. It also tells whether a dispatcher and a worker are there, for people and for `zoomin up`, but answers 200
without them: batches are rows, and are accepted while nobody works on them. Redis is not asked: the API never speaks to it.
"""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.describing import raw
from api.measurements import Measurements
from api.readiness import Readiness
from api.schemas.health import Alive, ReadinessReport
from api.security.principal import Requirement
from worker.moderation.scopes import Scope

READY, NOT_READY = 200, 503
UNCACHED = {"Cache-Control": "no-store"}

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="readLiveness")
async def healthz() -> Alive:
    """Whether the process answers."""
    return Alive(alive=True)


@router.get(
    "/readyz",
    operation_id="readReadiness",
    response_model=ReadinessReport,
    responses={NOT_READY: {"description": "A check that the API needs fails.", "model": ReadinessReport}},
)
async def readyz(request: Request) -> JSONResponse:
    """Whether the API can do its work, and every check by name."""
    readiness: Readiness = request.app.state.readiness
    report = await readiness.look()
    body = {"ready": report.ready, "checks": {name: asdict(check) for name, check in report.checks.items()}}
    return JSONResponse(body, status_code=READY if report.ready else NOT_READY, headers=UNCACHED)


async def _may_measure(request: Request) -> None:
    """A key with the scope `admin`, unless the settings leave the metrics open."""
    if not request.app.state.services.settings.api_metrics_open:
        await Requirement((Scope.ADMIN,))(request)


@router.get("/openapi.json", include_in_schema=False)
def document(request: Request) -> JSONResponse:
    """The OpenAPI document: what is offered is no secret."""
    return JSONResponse(request.app.openapi())


@router.get(
    "/metrics",
    operation_id="readMetrics",
    response_class=Response,
    responses=raw(200, "Prometheus's text format", "text/plain"),
)
async def metrics(request: Request, _: Annotated[None, Depends(_may_measure)]) -> Response:
    """Requests by route and status, and their times, in Prometheus's text format."""
    measurements: Measurements = request.app.state.measurements
    return Response(measurements.text(), media_type=CONTENT_TYPE_LATEST)
