"""Liveness, readiness, metrics: three questions that different machinery asks, with different consequences.

**Liveness** (`/healthz`) asks whether this process should be restarted. It touches nothing outside: were Postgres down, restarting every
API would mend nothing and add a thundering herd. **Readiness** (`/readyz`) asks whether requests should be sent here: 503 while Postgres,
its schema or S3 is missing. It also tells whether a dispatcher and a worker are there, for people and for `zoomin up`, but answers 200
without them: batches are rows, and are accepted while nobody works on them. Redis is not asked: the API never speaks to it.
"""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.measurements import Measurements
from api.readiness import Readiness

READY, NOT_READY = 200, 503
UNCACHED = {"Cache-Control": "no-store"}

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, Any]:
    """Whether the process answers."""
    return {"alive": True}


@router.get("/readyz", responses={NOT_READY: {"description": "A check that the API needs fails."}})
async def readyz(request: Request) -> JSONResponse:
    """Whether the API can do its work, and every check by name."""
    readiness: Readiness = request.app.state.readiness
    report = await readiness.look()
    body = {"ready": report.ready, "checks": {name: asdict(check) for name, check in report.checks.items()}}
    return JSONResponse(body, status_code=READY if report.ready else NOT_READY, headers=UNCACHED)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Requests by route and status, and their times, in Prometheus's text format."""
    measurements: Measurements = request.app.state.measurements
    return Response(measurements.text(), media_type=CONTENT_TYPE_LATEST)
