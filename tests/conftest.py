"""Real services for the tests: started once per run, with a database and a broker namespace of its own for each module."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from worker.intake.storage import Storage
from worker.local import postgres, valkey
from worker.local.services import Services
from worker.moderation.settings import PREFIX, Settings
from worker.store.session import connect

_module_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Tests never meet the services that a developer's shell names."""
    found = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}
    yield
    os.environ.update(found)


@pytest.fixture(scope="session")
def services(_no_settings_from_outside: None) -> Iterator[Services]:
    """Postgres, Valkey and S3, migrated and with their buckets. A service that does not start fails the run; nothing is skipped."""
    home = Path(tempfile.mkdtemp(prefix="zoomin-tests-"))
    try:
        with Services(Settings(home=home)) as running:
            running.prepare()
            yield running
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def settings(services: Services) -> Iterator[Settings]:
    """Settings for a module: the shared services, with a freshly migrated database and an empty broker of its own."""
    number = next(_module_numbers)
    database = f"module_{number}"
    postgres.copy_database(services.layout, postgres.DATABASE, database)
    broker = services.addresses.broker_url.removesuffix("/0") + f"/{number % valkey.DATABASES}"
    yield services.settings.model_copy(
        update={
            "database_url": SecretStr(postgres.url(services.layout, postgres.LOGIN, database)),
            "owner_url": SecretStr(postgres.url(services.layout, postgres.OWNER, database)),
            "broker_url": SecretStr(broker),
        }
    )
    postgres.drop_database(services.layout, database)


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Iterator[Engine]:
    """The module's database, as the application sees it: with its rights and no more."""
    engine = connect(settings, application="zoomin-test")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def storage(settings: Settings) -> Storage:
    """The shared object store; use key prefixes of your own."""
    return Storage(settings)
