"""What was seen of images, on a real Postgres: written with outcomes, computed for older ones, read over HTTP, gone with the image."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from migrations.versions.coverage import BACKFILL
from tests.integration.api_world import calling, new_key, problem
from tests.integration.queue_world import RELEASE, World, verdict
from tests.integration.search_world import SearchWorld
from worker.local import postgres
from worker.local.services import Services
from worker.moderation.boxes import Box, Size
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import ItemReference, Outcome, OutcomeKind, Region, StageTrace
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.erasures import Erasing, erase_item
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.session import transaction

SENT, SMALLER = Size(14, 56), "a" * 64
CROPS = ((0, 0, 35, 45), (20, 10, 60, 30))


def judged(batch_id: UUID) -> list[Outcome]:
    """A verdict with two crops that overlap, one without any, a failure."""
    plain = verdict(ItemReference(batch_id, 0, "a", "b", "k"))
    regions = tuple(Region(box=Box(*box), reason="hand", crop_box=Box(*box), scale=0.3 + place) for place, box in enumerate(CROPS))
    zoomed = replace(plain, regions=regions, traces=(_scan(plain.traces[0]),), sent_sha256=SMALLER, sent_size=SENT)
    failed = Outcome(ordinal=2, kind=OutcomeKind.FAILED, error_code="image_corrupt", error_message="It is damaged.")
    return [zoomed, replace(zoomed, ordinal=1, regions=()), failed]


def _scan(trace: StageTrace) -> StageTrace:
    parts = ["look", {"image": SMALLER, "size": [SENT.width, SENT.height]}]
    return replace(trace, request={"turns": [{"role": "system", "parts": ["be neutral"]}, {"role": "user", "parts": parts}]})


@pytest.fixture
def tenant() -> str:
    return f"seen-{uuid4().hex[:8]}"


@pytest.fixture
def batch(engine: Engine, tenant: str) -> UUID:
    world = World(engine)
    batch_id = world.batch(3, tenant=tenant)
    chunk_id = world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
    place = Place(batch_id=batch_id, revision=1, chunk_id=chunk_id)
    with transaction(engine) as session:
        insert_outcomes(session, place, judged(batch_id), Judgement(actor="worker", release=RELEASE, evidence_bucket="b"))
    return batch_id


def test_older_outcomes_are_measured_by_the_database_as_new_ones_are_by_the_worker(
    services: Services, settings: Settings, batch: UUID
) -> None:
    assert settings.database_url is not None
    name = make_url(settings.database_url.get_secret_value()).database
    owner = create_engine(postgres.url(services.layout, postgres.OWNER, str(name)))
    of_batch = text("SELECT * FROM coverage WHERE batch_id = :id ORDER BY ordinal")
    with owner.connect() as connection:
        written = connection.execute(of_batch, {"id": batch}).all()
        connection.execute(text("DELETE FROM coverage"))
        connection.exec_driver_sql(BACKFILL)
        computed = connection.execute(of_batch, {"id": batch}).all()
        connection.rollback()
    owner.dispose()
    assert [row.ordinal for row in written] == [0, 1]
    assert [tuple(row)[:5] for row in computed] == [tuple(row)[:5] for row in written]
    for ours, theirs in zip(written, computed, strict=True):
        assert tuple(theirs)[5:] == pytest.approx(tuple(ours)[5:])
    assert written[0].share_native == pytest.approx(800 / 4096)


async def test_whoever_judges_sees_what_was_looked_at_and_another_tenant_nothing(
    settings: Settings, engine: Engine, batch: UUID, tenant: str
) -> None:
    place = f"/v1/items/{item_id(batch, 0)}/coverage"
    async with calling(settings, new_key(engine, Scope.REVIEW, tenant=tenant).text) as reviewer:
        seen = (await reviewer.get(place)).json()
        assert (seen["revision"], seen["width"], seen["sent_width"], seen["sent_height"]) == (1, 64, 14, 56)
        assert [(area["position"], area["box"]) for area in seen["areas"]] == [
            (None, [0, 0, 64, 64]),
            (1, list(CROPS[0])),
            (2, list(CROPS[1])),
        ]
        assert seen["resolution_least"] == seen["areas"][0]["resolution"] == 0.4375
        assert problem(await reviewer.get(place, params={"revision": "2"})) == (404, "coverage_missing")
        assert problem(await reviewer.get(f"/v1/items/{item_id(batch, 2)}/coverage")) == (404, "coverage_missing")
        assert problem(await reviewer.get(f"/v1/items/{item_id(batch, 9)}/coverage")) == (404, "not_found")
    async with calling(settings, new_key(engine).text) as stranger:
        assert problem(await stranger.get(place)) == (404, "not_found")
    async with calling(settings, new_key(engine, Scope.SUBMIT, tenant=tenant).text) as submitter:
        assert problem(await submitter.get(place)) == (403, "scope_missing")


def test_what_was_never_looked_at_closely_is_found(engine: Engine, batch: UUID, tenant: str) -> None:
    world = SearchWorld(World(engine), tenant)
    assert world.ordinals("seen_half_to=0") == [1]
    assert world.ordinals("seen_half_to=0.2") == [1, 0], "of the first, 800 of 4096 pixels were"
    assert world.places("seen_half_to=1") == [(batch, 1), (batch, 0)], "of a failure nothing is recorded"


async def test_what_was_seen_of_an_erased_image_is_gone_with_it(settings: Settings, engine: Engine, batch: UUID, tenant: str) -> None:
    with transaction(engine) as session:
        erase_item(session, tenant, batch, 0, Erasing(reason="gdpr", actor="test", upload_bucket="b"))
    assert World(engine).rows("SELECT ordinal FROM coverage WHERE batch_id = :id", id=batch) == [(1,)]
    async with calling(settings, new_key(engine, tenant=tenant).text) as reader:
        assert problem(await reader.get(f"/v1/items/{item_id(batch, 0)}/coverage")) == (404, "coverage_missing")
