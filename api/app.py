"""The application: `python -m uvicorn --factory api.app:create_app`. Importing it reads and connects nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from api import health
from api.errors import problem_of
from api.logs import configure_logs
from api.measurements import Measurements, Measuring
from api.middleware.bodies import Bodies
from api.middleware.guard import Guard, response_of
from api.middleware.request_ids import RequestIds
from api.openapi import Described
from api.queries import plain_query
from api.readiness import Readiness
from api.review_page import case_lists, cases, dashboard, judging
from api.review_page import duplicates as review_duplicates
from api.review_page import queues as review_queues
from api.review_page import searching as review_searching
from api.review_page import translations as review_translations
from api.review_page.static_files import PREFIX as STATIC_FILES
from api.review_page.static_files import PageFiles
from api.routes import (
    appeals,
    attention_maps,
    audit,
    batches,
    coverage,
    decisions,
    duplicates,
    erasures,
    events,
    explanation_jobs,
    faithfulness,
    golden_items,
    items,
    legal_holds,
    looks,
    people,
    policies,
    queues,
    regions,
    results,
    review_figures,
    reviews,
    saved_filters,
    search,
    sign_in,
    statements,
    storage_checks,
    tasks,
    translations,
    webhook_deliveries,
    webhook_endpoints,
)
from api.security.authentication import OPEN_PATHS, Authentication
from api.security.rates import RateLimit, Rates
from api.security.sessions import Browsers
from api.services import DATABASE_THREADS, ApiServices
from api.sign_in.desk import SignInDesk
from worker.intake.storage import Storage
from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings, load_settings
from worker.store.session import connect

ROUTERS = (
    health.router,
    batches.router,
    results.router,
    items.router,
    coverage.router,
    faithfulness.router,
    regions.router,
    looks.router,
    explanation_jobs.router,
    attention_maps.router,
    translations.router,
    storage_checks.router,
    policies.router,
    queues.router,
    tasks.router,
    reviews.router,
    duplicates.router,
    review_figures.router,
    golden_items.router,
    decisions.router,
    appeals.router,
    statements.router,
    search.router,
    saved_filters.router,
    sign_in.router,
    people.router,
    webhook_endpoints.router,
    webhook_deliveries.router,
    events.router,
    audit.router,
    erasures.router,
    legal_holds.router,
)
PAGES = (
    review_queues.router,
    judging.router,
    dashboard.router,
    review_duplicates.router,
    review_searching.router,
    case_lists.router,
    cases.router,
    review_translations.router,
)
METRICS_PATH = "/metrics"


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application on `settings`, by default the environment's. A misconfigured one says so in one line and leaves."""
    try:
        settings = (settings or load_settings()).require("database_url", "s3_endpoint")
        desk = SignInDesk.of(settings)
    except MisconfiguredError as error:
        raise SystemExit(f"The API cannot start: {error.message}") from None
    level = settings.log_level
    engine = connect(settings, application="zoomin-api")
    services = ApiServices(settings, engine, Storage(settings))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        configure_logs(level)
        to_thread.current_default_thread_limiter().total_tokens = DATABASE_THREADS
        yield
        if desk is not None:
            await desk.provider.close()
        engine.dispose()

    app = Described(
        title="ZoomIn",
        version=_version(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(plain_query)],
        exception_handlers={HTTPException: _answer, RequestValidationError: _answer},
    )
    app.state.services = services
    app.state.sign_in_desk = desk
    app.state.readiness = Readiness(engine, services.storage, settings.evidence_bucket)
    app.state.measurements = Measurements()
    for router in ROUTERS + PAGES:
        app.include_router(router)
    app.mount(STATIC_FILES, PageFiles())
    _add_middleware(app, services, app.state.measurements)
    return app


def _add_middleware(app: FastAPI, services: ApiServices, measurements: Measurements) -> None:
    """The last one added is met first: measured, named, guarded; then the key, its rate, the body."""
    settings = services.settings
    open_paths = OPEN_PATHS | ({METRICS_PATH} if settings.api_metrics_open else set())
    app.add_middleware(Bodies, max_bytes=settings.api_body_max_bytes, seconds=settings.api_body_seconds)
    app.add_middleware(RateLimit, rates=Rates(settings.api_rate_per_second, settings.api_rate_burst))
    app.add_middleware(Authentication, engine=services.engine, browsers=Browsers.of(settings), open_paths=open_paths)
    app.add_middleware(Guard)
    app.add_middleware(RequestIds)
    app.add_middleware(Measuring, measurements=measurements)


async def _answer(request: Request, error: Exception) -> Response:
    """Problems for what Starlette and FastAPI raise by themselves."""
    problem = problem_of(error)
    if problem.kind.status == 405:
        problem = replace(problem, headers={"Allow": ", ".join(_methods(request))})
    return response_of(problem, request.scope)


def _methods(request: Request) -> list[str]:
    """Those of all routes of the path: Starlette would name the first route's alone."""
    found: set[str] = set()
    for route in request.app.router.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)


def _version() -> str:
    try:
        return version("zoomin")
    except PackageNotFoundError:  # an image that holds the code without its metadata
        return "0.1.0"
