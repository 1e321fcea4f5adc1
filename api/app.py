"""The application: `python -m uvicorn --factory api.app:create_app`. Importing it reads and connects nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.health import router
from api.measurements import Measurements, Measuring
from api.readiness import Readiness
from worker.intake.storage import Storage
from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings, load_settings
from worker.store.session import connect


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application on `settings`, by default the environment's. A misconfigured one says so in one line and leaves."""
    try:
        settings = (settings or load_settings()).require("database_url", "s3_endpoint")
    except MisconfiguredError as error:
        raise SystemExit(f"The API cannot start: {error.message}") from None
    engine = connect(settings, application="zoomin-api")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(title="ZoomIn", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.readiness = Readiness(engine, Storage(settings), settings.evidence_bucket)
    app.state.measurements = Measurements()
    app.add_middleware(Measuring, measurements=app.state.measurements)
    app.include_router(router)
    return app
