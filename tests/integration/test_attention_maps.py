"""Attention maps in the system: sampled by policy or asked for, drawn from the checkpoint, kept as evidence, shown over HTTP, and gone."""

import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine

from tests.integration.api_world import calling, new_key, problem
from tests.integration.attention_world import Studio
from tests.integration.queue_world import World
from tests.integration.retention_world import ERASING, RetentionWorld
from tests.integration.review_world import judged_batch
from worker.intake.storage import Storage
from worker.moderation.explanation_jobs import Job, JobKind
from worker.moderation.identifiers import item_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.queue.explain_attention import build
from worker.queue.explaining import Bench, Ending, Explainers, Write, explain
from worker.retention.run import remove_let_go
from worker.store.erasures import erase_item
from worker.store.explanation_queue import announce_jobs
from worker.store.session import transaction

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # transformers' own
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
JOBS = "SELECT * FROM explanation_jobs WHERE batch_id = :id"


@pytest.fixture(scope="module")
def bench(settings: Settings, engine: Engine, storage: Storage) -> Bench:
    own = RetentionWorld.apart(engine, storage, settings).settings
    return Bench(settings=own, engine=engine, owner="host:1:1:1")


@pytest.fixture(scope="module")
def explainers(bench: Bench) -> Explainers:
    """With the real runner, which loads nano with its first job."""
    return Explainers(bench, {JobKind.ATTENTION: build(bench)})


@pytest.fixture
def studio(engine: Engine, storage: Storage, bench: Bench) -> Iterator[Studio]:
    world = World(engine)
    world.retire()
    tenant = f"s-{uuid4().hex[:8]}"
    world.batch(1, tenant=tenant)
    yield Studio(world, storage, bench.settings, tenant)
    world.retire()


def work_off(explainers: Explainers) -> list[Ending]:
    """Does every job that waits."""
    with transaction(explainers.bench.engine) as session:
        jobs = announce_jobs(session, JobKind.ATTENTION, 100)
    return [explain(job, explainers, drained=False) for job in jobs]


def error_of(studio: Studio, batch_id: UUID) -> tuple[str, str]:
    (job,) = studio.world.rows(JOBS, id=batch_id)
    return job.state, job.error_code


async def test_a_sampled_map_is_drawn_kept_shown_and_erased(studio: Studio, explainers: Explainers, storage: Storage) -> None:
    studio.wants(1.0)
    batch_id = await studio.judged()
    before = studio.world.rows("SELECT to_jsonb(o) FROM outcomes AS o WHERE batch_id = :id", id=batch_id)
    assert work_off(explainers) == [Ending.DONE]
    assert studio.world.rows("SELECT to_jsonb(o) FROM outcomes AS o WHERE batch_id = :id", id=batch_id) == before
    item = item_id(batch_id, 0)
    async with calling(explainers.bench.settings, new_key(studio.world.engine, tenant=studio.tenant).text) as client:
        listed = (await client.get(f"/v1/items/{item}/attention-maps")).json()
        (drawn,) = listed["maps"]
        assert listed["jobs"] == []
        assert (drawn["sampled"], drawn["training"], drawn["item_id"]) == (True, "trained", item)
        assert drawn["logprob_gap"] < 0.25
        assert drawn["ratio"] == pytest.approx(drawn["mass_in_regions"] / drawn["mass_in_random"])
        names = [target["name"] for target in drawn["targets"]]
        assert {"zoom-verdict", "scan-verdict", "zoom-sentence-1", "scan-box-1", "scan-box-2"} <= set(names)
        again = await client.post(f"/v1/items/{item}/attention-maps", json={})
        assert (again.status_code, again.json()["map"]["id"], again.json()["job"]) == (200, drawn["id"], None)
        await _shows_its_files(client, drawn, item)
        figures = (await client.get(f"/v1/batches/{batch_id}/attention")).json()
        assert (figures["sampled"]["maps"], figures["asked_for"]["maps"], figures["waiting"], figures["failed"]) == (1, 0, 0, 0)
        assert figures["sampled"]["ratio"] == pytest.approx(drawn["ratio"])
        files = {row[0] for row in studio.world.rows("SELECT key FROM evidence WHERE media_type IN ('application/x-npz', 'image/png')")}
        assert len(files) > len(names)
        with transaction(studio.world.engine) as session:
            erase_item(session, studio.tenant, batch_id, 0, ERASING)
        assert problem(await client.get(f"/v1/attention-maps/{drawn['id']}")) == (404, "not_found")
        assert problem(await client.post(f"/v1/items/{item}/attention-maps", json={})) == (410, "item_erased")
    RetentionWorld(studio.world.engine, storage, studio.settings).run()
    assert not any(storage.exists(studio.settings.evidence_bucket, key) for key in files)


async def _shows_its_files(client: Any, drawn: dict[str, Any], item: str) -> None:
    sent = Image.open(io.BytesIO((await client.get(f"/v1/items/{item}/image")).content))
    layer = await client.get(f"/v1/attention-maps/{drawn['id']}/layers/zoom-verdict")
    heat = Image.open(io.BytesIO(layer.content))
    assert (layer.headers["content-type"], heat.size, heat.mode) == ("image/png", sent.size, "RGBA")
    assert len(heat.getchannel("A").getcolors() or ()) > 1  # it hides no whole image
    assert (await client.get(f"/v1/attention-maps/{drawn['id']}/overlay")).headers["content-type"] == "image/png"
    absent = await client.get(f"/v1/attention-maps/{drawn['id']}/layers/zoom-box-9")
    assert problem(absent) == (404, "attention_map_missing")
    arrays = np.load(io.BytesIO((await client.get(f"/v1/attention-maps/{drawn['id']}/values")).content))
    index = json.loads(str(arrays["index"]))
    assert set(index["targets"]) == {target["name"] for target in drawn["targets"]}
    mass = sum(float(arrays[name].sum()) for name in arrays.files if name.startswith("zoom-verdict/"))
    assert mass == pytest.approx(1.0, abs=1e-3)


async def test_maps_of_an_image_that_is_erased_while_they_are_drawn_are_removed_at_once(
    studio: Studio, explainers: Explainers, storage: Storage
) -> None:
    studio.wants(1.0)
    batch_id = await studio.judged()
    draw = explainers.runners[JobKind.ATTENTION]

    def erased_meanwhile(job: Job) -> Write:
        write = draw(job)
        with transaction(studio.world.engine) as session:
            erase_item(session, studio.tenant, batch_id, 0, ERASING)
        return write

    before = stored(studio, storage)
    assert work_off(Explainers(explainers.bench, {JobKind.ATTENTION: erased_meanwhile})) == [Ending.FENCED]
    drawn = stored(studio, storage) - before
    assert len(drawn) > 2
    remove_let_go(studio.world.engine, storage, actor="test")
    assert not drawn & stored(studio, storage)
    RetentionWorld(studio.world.engine, storage, studio.settings).run()  # forgets the pixels, which later tests store again


def stored(studio: Studio, storage: Storage) -> set[str]:
    return {found.key for found in storage.list(studio.settings.evidence_bucket, "")}


async def test_a_checkpoint_that_reads_otherwise_draws_nothing(studio: Studio, explainers: Explainers) -> None:
    studio.wants(1.0)
    batch_id = await studio.judged(p_shift=-0.5)
    assert work_off(explainers) == [Ending.FAILED]
    assert error_of(studio, batch_id) == ("failed", "attention_disagrees")
    assert studio.world.value("SELECT count(*) FROM attention_maps WHERE batch_id = :id", id=batch_id) == 0
    assert studio.world.value("SELECT verdict FROM outcomes WHERE batch_id = :id", id=batch_id) == "generated"


async def test_what_is_no_longer_there_is_told_and_draws_nothing(studio: Studio, explainers: Explainers) -> None:
    studio.wants(1.0)
    purged, changed, lost = [await studio.judged() for _ in range(3)]
    owner = RetentionWorld(studio.world.engine, studio.storage, studio.settings)
    owner.as_owner("DELETE FROM traces WHERE batch_id = :id", id=purged)
    owner.as_owner("UPDATE items SET bucket = :bucket WHERE batch_id = :id", id=changed, bucket=studio.settings.upload_bucket)
    studio.storage.put(studio.settings.upload_bucket, "k0", b"another image", "image/png")
    owner.as_owner("UPDATE outcomes SET sent_sha256 = repeat('0', 64) WHERE batch_id = :id", id=lost)
    owner.as_owner("UPDATE regions SET crop_sha256 = repeat('0', 64) WHERE batch_id = :id", id=lost)
    assert work_off(explainers) == [Ending.FAILED] * 3
    assert error_of(studio, purged) == ("failed", "trace_purged")
    assert error_of(studio, changed) == ("failed", "object_changed")
    assert error_of(studio, lost) == ("failed", "evidence_purged")


async def test_another_release_than_the_workers_is_refused_and_asking_again_tries_again(studio: Studio, explainers: Explainers) -> None:
    batch_id = judged_batch(studio.world, {0: 0.9}, tenant=studio.tenant)  # by the release `scripted`
    path = f"/v1/items/{item_id(batch_id, 0)}/attention-maps"
    async with calling(explainers.bench.settings, new_key(studio.world.engine, tenant=studio.tenant).text) as client:
        asked = await client.post(path)
        job = asked.json()["job"]
        assert (asked.status_code, asked.headers["location"], job["state"]) == (202, f"/v1/explanation-jobs/{job['id']}", "waiting")
        work_off(explainers)
        failed = (await client.get(path)).json()["jobs"][0]
        assert (failed["id"], failed["state"]) == (job["id"], "failed")
        assert failed["error"]["message"]
        assert (await client.post(path)).json()["job"]["state"] == "waiting"


async def test_who_may_ask_and_of_what(studio: Studio, settings: Settings) -> None:
    engine = studio.world.engine
    batch_id = judged_batch(studio.world, {0: 0.9}, tenant=studio.tenant)
    waiting = studio.world.batch(1, tenant=studio.tenant)
    path = "/v1/items/{}/attention-maps"
    async with calling(settings, new_key(engine, Scope.READ, tenant=studio.tenant).text) as reader:
        assert problem(await reader.post(path.format(item_id(batch_id, 0)))) == (403, "scope_missing")
        assert (await reader.get(path.format(item_id(batch_id, 0)))).json() == {"maps": [], "jobs": []}
    async with calling(settings, new_key(engine, tenant="somebody-else").text) as stranger:
        assert problem(await stranger.post(path.format(item_id(batch_id, 0)))) == (404, "not_found")
        assert problem(await stranger.get(f"/v1/attention-maps/{uuid4()}/values")) == (404, "not_found")
        assert problem(await stranger.get(f"/v1/batches/{batch_id}/attention")) == (404, "not_found")
    async with calling(settings, new_key(engine, tenant=studio.tenant).text) as client:
        assert problem(await client.post(path.format(item_id(waiting, 0)))) == (409, "no_verdict")
        assert problem(await client.post(path.format(item_id(batch_id, 0)), json={"revision": 7})) == (404, "not_found")
        assert problem(await client.post(path.format(item_id(batch_id, 0)), json={"revision": 0})) == (422, "request_invalid")
        assert problem(await client.get(f"/v1/attention-maps/{uuid4()}/layers/..%2f"))[0] in {404, 422}


async def test_a_tenant_has_so_many_maps_waiting_and_what_a_policy_samples_takes_no_place(
    studio: Studio, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.store.attention_maps.MOST_WAITING", 2)
    studio.wants(1.0)
    judged_batch(studio.world, dict.fromkeys(range(5), 0.9), tenant=studio.tenant)
    studio.wants(0.0)
    batch_id = judged_batch(studio.world, dict.fromkeys(range(4), 0.9), tenant=studio.tenant)
    paths = [f"/v1/items/{item_id(batch_id, ordinal)}/attention-maps" for ordinal in range(4)]
    async with calling(settings, new_key(studio.world.engine, tenant=studio.tenant).text) as client:
        answers = [await client.post(path) for path in paths[:3]]
        assert [answer.status_code for answer in answers] == [202, 202, 409]
        assert problem(answers[2]) == (409, "attention_maps_waiting")
        assert answers[2].json()["retryable"]
        assert (await client.get(paths[2])).json()["jobs"] == []  # what was refused left nothing behind
        assert (await client.post(paths[0])).status_code == 202  # what waits already may be asked for again
    assert studio.world.value("SELECT count(*) FROM explanation_jobs WHERE batch_id = :id", id=batch_id) == 2


def test_a_share_draws_about_that_many_verdicts_and_none_at_zero(studio: Studio) -> None:
    nothing = judged_batch(studio.world, dict.fromkeys(range(200), 0.9), tenant=studio.tenant)
    studio.wants(0.25)
    some = judged_batch(studio.world, dict.fromkeys(range(200), 0.9), tenant=studio.tenant)
    jobs = "SELECT count(*) FROM explanation_jobs WHERE batch_id = :id"
    assert studio.world.value(jobs, id=nothing) == 0
    assert 25 <= studio.world.value(jobs, id=some) <= 80
    askers = studio.world.rows("SELECT DISTINCT asked_by, lane FROM explanation_jobs WHERE batch_id = :id", id=some)
    assert askers == [("policy:default@2", 1)]
