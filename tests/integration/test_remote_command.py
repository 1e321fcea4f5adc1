"""`zoomin` against a real API server: the same output and exit codes as with the database at hand, and neither database nor S3."""

import csv
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from PIL import Image
from sqlalchemy import Engine

from tests.fuzz import serving
from tests.integration.api_world import judged_batch, new_key
from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch as routed_batch
from tests.unit.cli.invoke import Ended, zoomin
from worker.intake.background import BackgroundIntake
from worker.intake.storage import Storage
from worker.local.addresses import environment
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.batches import find_batch
from worker.store.session import transaction

NOT_THERE = "0199a000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    with serving(settings) as address:
        yield address


@pytest.fixture(scope="module")
def _intake(settings: Settings, engine: Engine, storage: Storage) -> Iterator[None]:
    """A `zoomin intake`, on a thread of the test."""
    ended = threading.Event()
    reader = BackgroundIntake(settings, engine, storage, "test", ended)

    def receive() -> None:
        while not ended.wait(0.1):
            reader.receive_next()

    thread = threading.Thread(target=receive)
    thread.start()
    yield
    ended.set()
    thread.join()


class Terminals:
    """Two users: one far away with a key and nothing else, one beside the database."""

    def __init__(self, address: str, settings: Settings, key: str, home: Path) -> None:
        self.key = key
        self.far = {"ZOOMIN_API_URL": address, "ZOOMIN_API_KEY": key}
        self.near = {name: value for name, value in environment(settings).items() if name != "ZOOMIN_HOME"}
        self._home = home

    def remote(self, *arguments: str, **more: str) -> Ended:
        ended = zoomin(*arguments, home=self._home, settings={**self.far, **more})
        assert self.key not in ended.out + ended.err
        return ended

    def local(self, *arguments: str) -> Ended:
        return zoomin(*arguments, home=self._home, settings=self.near)


@pytest.fixture
def users(address: str, settings: Settings, engine: Engine, tmp_path: Path) -> Terminals:
    return Terminals(address, settings, new_key(engine).text, tmp_path)


@pytest.fixture
def batch(engine: Engine, storage: Storage, settings: Settings) -> UUID:
    return judged_batch(engine, storage, settings)


def events(engine: Engine, batch_id: UUID, action: str) -> list[tuple[str, dict[str, object]]]:
    sql = "SELECT actor, detail FROM audit_events WHERE batch_id = :id AND action = :action ORDER BY id"
    return [(row.actor.partition(":")[0], row.detail) for row in World(engine).rows(sql, id=batch_id, action=action)]


@pytest.mark.parametrize("form", ["table", "jsonl", "csv", "coco", "labelstudio"])
def test_results_are_the_same_in_every_format_and_each_export_is_one_event(
    users: Terminals, engine: Engine, batch: UUID, form: str
) -> None:
    far, near = users.remote("results", str(batch), "--format", form), users.local("results", str(batch), "--format", form)
    assert (far.code, far.out, far.err) == (0, near.out, near.err)
    items = {"items": 2}
    handed_out = "jsonl"  # by the API, whatever it becomes here
    assert events(engine, batch, "results.exported") == [("key", {"format": handed_out, **items}), ("cli", {"format": form, **items})]


def test_errors_and_batches_are_the_same(users: Terminals, engine: Engine, batch: UUID) -> None:
    assert users.remote("batches").out == users.local("batches", "--tenant", "default").out
    assert users.remote("batches", "--json").out == users.local("batches", "--json", "--tenant", "default").out
    far, near = users.remote("errors", str(batch)), users.local("errors", str(batch))
    assert (far.code, far.out, far.err) == (near.code, near.out, near.err)
    assert [actor for actor, _ in events(engine, batch, "errors.exported")] == ["key", "cli"]


@pytest.mark.usefixtures("_intake")
def test_a_manifest_is_submitted_followed_and_its_key_submits_once(users: Terminals, storage: Storage, settings: Settings) -> None:
    source = f"s3://{settings.upload_bucket}/{uuid4().hex}.jsonl"
    rows = [json.dumps({"source-ref": f"s3://{settings.upload_bucket}/a.jpg"}), '{"source-ref": "file:///etc/passwd"}']
    storage.put(settings.upload_bucket, source.rpartition("/")[2], "\n".join(rows).encode(), "application/jsonl")
    first, again = users.remote("scan", source, "--key", source), users.remote("scan", source, "--key", source)
    assert first.code == again.code == 3  # a row was refused
    assert first.out == again.out
    assert "1 images accepted, 1 rows rejected." in first.err
    assert "was used before" in again.err
    assert "was used before" not in first.err
    batch = first.out.strip()
    assert "line 2: " in users.remote("errors", batch).out
    assert users.remote("cancel", batch).out == f"Batch {batch} is cancelling.\n"
    assert "[batch_unfinished]" in users.remote("rescan", batch).err


@pytest.mark.usefixtures("_intake")
def test_waiting_ends_with_the_batch_and_its_exit_code(users: Terminals, storage: Storage, settings: Settings) -> None:
    key = f"{uuid4().hex}.jsonl"
    storage.put(settings.upload_bucket, key, b'{"source-ref": "file:///etc/passwd"}\n', "application/jsonl")
    ended = users.remote("scan", f"s3://{settings.upload_bucket}/{key}", "--wait", "--json")
    assert ended.code == 3
    summary = json.loads(ended.out)
    assert (summary["state"], summary["accepted"], summary["rejected"], summary["release"]) == ("rejected", 0, 1, None)


@pytest.mark.usefixtures("_intake")
def test_a_folder_is_uploaded_with_the_callers_own_access_or_refused_with_what_to_do(
    users: Terminals, engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for path in (folder / "a.jpg", folder / "deep" / "b c.png"):
        Image.new("RGB", (64, 64), "teal").save(path)
    refused = users.remote("scan", str(folder))
    assert refused.code == 2
    assert "ZOOMIN_S3_ENDPOINT" in refused.err
    access = {name: value for name, value in users.near.items() if name.startswith("ZOOMIN_S3")}
    ended = users.remote("scan", str(folder), **access)
    assert ended.code == 0, ended.err
    names = World(engine).rows("SELECT custom_id FROM items WHERE batch_id = :id ORDER BY ordinal", id=ended.out.strip())
    assert [row.custom_id for row in names] == ["a.jpg", "deep/b c.png"]
    places = World(engine).rows("SELECT b.source, i.key FROM items AS i JOIN batches AS b ON b.id = i.batch_id WHERE b.id = :id",
                                id=ended.out.strip())  # fmt: skip
    for row in places:  # an image's erasure finds it below folders/; the manifest, which names them all, can be ended by itself
        assert "/manifests/" in row.source
        assert row.key.startswith("folders/")


def test_a_rescan_begins_a_revision(users: Terminals, engine: Engine, batch: UUID) -> None:
    assert "1 items of batch" in users.remote("rescan", str(batch), "--only", "failed").out
    with transaction(engine) as session:
        assert find_batch(session, batch).revision == 2


def test_refusals_name_what_to_do(users: Terminals, address: str, engine: Engine, batch: UUID) -> None:
    wrong = users.remote("results", str(batch), ZOOMIN_API_KEY=f"{users.key[:-4]}beef")
    assert (wrong.code, "does not accept ZOOMIN_API_KEY" in wrong.err, users.key[:-4] in wrong.err) == (2, True, False)
    reader = users.remote("cancel", str(batch), ZOOMIN_API_KEY=new_key(engine, Scope.READ).text)
    assert (reader.code, "scope submit" in reader.err) == (2, True)
    missing = users.remote("results", NOT_THERE)
    assert (missing.code, "[not_found]" in missing.err, "Request id: " in missing.err) == (2, True, True)
    foreign = users.remote("results", str(batch), ZOOMIN_API_KEY=new_key(engine, tenant="stranger").text)
    assert (foreign.code, "[not_found]" in foreign.err) == (2, True)
    assert "leave --tenant away" in users.remote("batches", "--tenant", "acme").err
    pictures = users.remote("results", str(batch), "--pictures", "drawn")
    assert (pictures.code, "--pictures" in pictures.err) == (2, True)
    keyless = zoomin("batches", home=Path("/nonexistent"), settings={"ZOOMIN_API_URL": address})
    assert (keyless.code, "ZOOMIN_API_KEY" in keyless.err) == (2, True)
    unusable = users.remote("batches", ZOOMIN_API_KEY="zk_with space_secret")
    assert (unusable.code, "with space" in unusable.err) == (2, False)


@pytest.mark.parametrize(("status", "said"), [(429, "Too many requests"), (503, "Temporarily unavailable")])
def test_an_api_that_stays_busy_is_exit_4(users: Terminals, status: int, said: str) -> None:
    problem = {"title": said, "status": status, "detail": "Later.", "code": "busy", "request_id": "r", "retryable": True, "errors": []}
    body = json.dumps(problem).encode()
    head = f"HTTP/1.1 {status} x\r\nRetry-After: 0\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    with answering(head.encode() + body) as address:
        ended = users.remote("batches", ZOOMIN_API_URL=address)
    assert ended.code == 4
    assert ended.err == f"zoomin: {said}: Later. Request id: r. [busy]\n"


def test_an_api_that_is_away_is_exit_4(users: Terminals) -> None:
    ended = users.remote("batches", ZOOMIN_API_URL="http://127.0.0.1:9")
    assert (ended.code, len(ended.err.splitlines())) == (4, 1)
    assert "cannot be reached" in ended.err


def test_a_download_that_breaks_off_leaves_the_old_file_and_nothing_else(users: Terminals, batch: UUID, tmp_path: Path) -> None:
    line = users.remote("results", str(batch), "--format", "jsonl", "--limit", "1").out.encode()
    standing = json.dumps(batch_answer(batch)).encode()
    judges = b'{"releases": [], "cached_prompt_share": null, "cached_attainable_share": null}'
    whole = [b"HTTP/1.1 200 x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body) for body in (standing, judges)]
    cut = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(line), line)
    target = tmp_path / "kept" / "results.csv"
    target.parent.mkdir()
    target.write_text("old")
    with answering(*whole, cut) as address:
        ended = users.remote("results", str(batch), "--format", "csv", "--output", str(target), ZOOMIN_API_URL=address)
    assert ended.code == 4
    assert "broke off" in ended.err
    assert [path.name for path in target.parent.iterdir()] == ["results.csv"]
    assert target.read_text() == "old"


def test_policies_are_written_back_tested_compared_and_promoted_from_afar(
    address: str, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    tenant = f"far-{uuid4().hex[:8]}"
    batch = routed_batch(World(engine), {0: 0.05, 1: 0.15, 2: 0.6, 3: 0.95}, tenant=tenant)
    users = Terminals(address, settings, new_key(engine, tenant=tenant).text, tmp_path)
    users.near["ZOOMIN_TENANT"] = tenant
    for run in (users.remote, users.local):
        assert "default@1" in run("policies", "list").out
    file = tmp_path / "version.json"
    bands = [{"verdict": verdict, "pass_below": 0.1, "flag_from": 0.5} for verdict in ("generated", "real")]
    clauses = [
        {"id": "synthetic", "title": "Synthetic", "reason": "Made by a model: "},
        {"id": "authentic", "title": "Authentic", "reason": ""},
    ]
    asked = {"clauses": clauses, "reason_required": True, "four_eyes": ["remove"]}
    file.write_text(json.dumps({"bands": bands, **asked, "note": "stricter"}))
    assert users.remote("policies", "write", "default", "--file", str(file)).out == "default@2\n"
    for options in ((), ("--json",)):
        shown = users.remote("policies", "show", "default@2", *options).out
        assert shown == users.local("policies", "show", "default@2", *options).out
    assert {name: json.loads(shown)[name] for name in asked} == asked
    tested = users.remote("policies", "backtest", "default@2", "--since", "1h", "--json")
    assert "4 outcomes, 4 of them routed by default@2 for the first time." in tested.err
    assert (json.loads(tested.out)["outcomes"], json.loads(tested.out)["changed"]) == (4, 2)
    again = users.local("policies", "backtest", "default@2", "--batch", str(batch), "--json")
    assert "4 outcomes, 0 of them" in again.err
    assert again.out == tested.out == users.remote("policies", "compare", "default@2", "--json").out
    assert users.remote("policies", "shadow", "default@2").code == 0
    assert users.remote("policies", "promote", "default@2").out == "default@2 decides from now on.\n"
    assert "[version_state]" in users.remote("policies", "retire", "default@2").err
    assert users.local("policies", "write", "default", "--pass-below", "0.3").out == "default@3\n"
    assert users.remote("policies", "create", "uploads").code == 0
    assert "[policy_exists]" in users.local("policies", "create", "uploads").err
    file.write_text('{"bands": [{"verdict": "real", "pass_bellow": 0.1}]}')
    typo = users.remote("policies", "write", "default", "--file", str(file))
    assert (typo.code, "pass_bellow" in typo.err, "$.bands[0]" in typo.err) == (2, True, True)


@pytest.mark.parametrize("form", ["jsonl", "csv", "labelstudio"])
def test_a_download_that_its_reader_leaves_is_one_event_of_its_format(address: str, engine: Engine, batch: UUID, form: str) -> None:
    headers = {"Authorization": f"Bearer {new_key(engine).text}"}
    query = {"format": form, "limit": "1"}
    with httpx.stream("GET", f"{address}/v1/batches/{batch}/results", params=query, headers=headers, trust_env=False) as answer:
        assert answer.status_code == 200
    assert events(engine, batch, "results.exported") == [("key", {"format": form, "items": 1})]


def test_csv_over_http_runs_no_formula(address: str, engine: Engine, storage: Storage, settings: Settings) -> None:
    world = World(engine)
    batch = world.batch(1, tenant="default", names={0: '=cmd("x")'})
    headers = {"Authorization": f"Bearer {new_key(engine).text}"}
    answer = httpx.get(f"{address}/v1/batches/{batch}/results", params={"format": "csv"}, headers=headers, trust_env=False)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["custom_id"] for row in csv.DictReader(StringIO(answer.text))] == ['\'=cmd("x")']
    assert events(engine, batch, "results.exported") == [("key", {"format": "csv", "items": 1})]


def batch_answer(batch_id: UUID) -> dict[str, object]:
    counts = dict.fromkeys(("scope", "verdict", "flagged", "unreadable", "failed", "cancelled", "pending"), 0)
    return {
        "id": str(batch_id),
        "state": "finished",
        "pause_reason": None,
        "source": "s3://b/",
        "tenant": "t",
        "revision": 1,
        "rows": {"accepted": 2, "rejected": 0},
        "counts": counts,
        "created_at": "2026-11-26T00:00:00Z",
    }


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """A server that gives the answers in turn, the last one for ever, and closes the connection after each."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            left = list(answers)
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.recv(65_536)
                    connection.sendall(left.pop(0) if len(left) > 1 else left[0])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()
