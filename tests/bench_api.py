"""`python -m tests.bench_api`: measures the API against a million items, on a real Postgres, S3 and server process.

Prints one JSON object: how long a manifest of a million rows takes to be accepted and to be read; and per read, requests per second with
several callers, its p99 with one, and the p99 of the same query alone on one connection.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.fuzz import serving
from tests.integration.api_world import new_key
from tests.integration.queue_world import RELEASE
from worker.intake.storage import Storage
from worker.local.addresses import environment
from worker.local.services import Services
from worker.moderation.identifiers import item_id
from worker.moderation.settings import Settings
from worker.store.batches import find_batch
from worker.store.items import find_item, read_items
from worker.store.progress import count_items
from worker.store.releases import ensure_release
from worker.store.session import connect, transaction

OUTCOMES = text(
    """
    -- outcomes: as a scan of the whole batch would leave them
    INSERT INTO outcomes (batch_id, ordinal, revision, chunk_id, kind, verdict, p_generated, explanation, path, release_id)
    SELECT batch_id, ordinal, 1, 1, 'verdict', 'real', 0.25, 'Nothing was found at the edges of the hands.', 'zoomed', :release
      FROM items WHERE batch_id = :batch_id
    """
)
SAMPLES = 1_500


def accept(settings: Settings, engine: Engine, address: str, rows: int) -> tuple[UUID, dict[str, float]]:
    """Submits a manifest and follows its intake: the batch, and seconds."""
    storage, bucket, key = Storage(settings), settings.upload_bucket, f"{uuid4().hex}.jsonl"
    lines = (f'{{"source-ref": "s3://{bucket}/{n:09d}.jpg", "custom_id": "photo-{n:09d}"}}\n' for n in range(rows))
    storage.put(bucket, key, "".join(lines).encode(), "application/jsonl")
    headers = {"Authorization": f"Bearer {new_key(engine).text}", "Idempotency-Key": uuid4().hex}
    with httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=30) as client:
        client.get("/v1/batches")
        started = time.perf_counter()
        batch = client.post("/v1/batches", json={"source": f"s3://{bucket}/{key}"}).raise_for_status().json()
        accepted = time.perf_counter() - started
        first = 0.0
        while (batch := client.get(f"/v1/batches/{batch['id']}").json())["state"] == "receiving":
            if batch["rows"]["accepted"] and not first:
                first = time.perf_counter() - started
            time.sleep(0.05)
        read = time.perf_counter() - started
    assert batch["rows"]["accepted"] == rows, batch
    return UUID(batch["id"]), {"accepted_seconds": accepted, "first_rows_seconds": first, "read_seconds": read}


def alone(engine: Engine, query: Callable[[Session], object]) -> list[float]:
    """Seconds of a query, again and again on one connection."""
    taken = []
    with Session(engine) as session:
        for _ in range(SAMPLES):
            session.expire_all()
            started = time.perf_counter()
            query(session)
            taken.append(time.perf_counter() - started)
            session.rollback()
    return taken


async def call(address: str, paths: Callable[[int], str], key: str, callers: int) -> tuple[list[float], float]:
    """Seconds of each request, and requests per second. Speaks HTTP by hand: a client library would be what is measured."""
    where, taken = urlsplit(address), []

    async def caller(first: int) -> None:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        for number in range(first, SAMPLES, callers):
            started = time.perf_counter()
            writer.write(f"GET {paths(number)} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(length)
            taken.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(caller(first) for first in range(callers)))
    return taken, SAMPLES / (time.perf_counter() - started)


def p99(seconds: list[float]) -> float:
    """In milliseconds."""
    return round(statistics.quantiles(seconds, n=100)[98] * 1000, 2)


def measure(settings: Settings, rows: int, callers: int, workers: int) -> dict[str, Any]:
    """Everything."""
    engine = connect(settings, application="zoomin-bench")
    with serving(settings, workers=workers) as address:
        with subprocess.Popen([sys.executable, "-m", "worker.cli", "intake"], env={**os.environ, **environment(settings)}) as intake:
            batch_id, found = accept(settings, engine, address, rows)
            intake.terminate()
        with transaction(engine) as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            ensure_release(session, RELEASE)
            session.execute(OUTCOMES, {"batch_id": batch_id, "release": RELEASE.id})
        owner = connect(settings.model_copy(update={"database_url": settings.owner_url}), application="zoomin-bench")
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM ANALYZE"))
        key = new_key(engine).text

        def ordinal(number: int) -> int:
            return number * 7_919 % rows

        reads: dict[str, tuple[Callable[[int], str], Callable[[Session], object]]] = {
            "item": (
                lambda number: f"/v1/items/{item_id(batch_id, ordinal(number))}",
                lambda session: find_item(session, "default", batch_id, rows // 2),
            ),
            "items page of 50": (
                lambda _: f"/v1/batches/{batch_id}/items",
                lambda session: read_items(session, batch_id, accepted=rows, after=-1, limit=50),
            ),
            "batch": (
                lambda _: f"/v1/batches/{batch_id}",
                lambda session: (find_batch(session, batch_id), count_items(session, [batch_id])),
            ),
        }
        result: dict[str, Any] = {"rows": rows, "workers": workers, **{name: round(value, 3) for name, value in found.items()}}
        for name, (paths, query) in reads.items():
            lonely = alone(engine, query)
            single, _ = asyncio.run(call(address, paths, key, 1))
            many, per_second = asyncio.run(call(address, paths, key, callers))
            result[name] = {
                "query_p99_ms": p99(lonely),
                "request_p99_ms": p99(single),
                "busy_p99_ms": p99(many),
                "requests_per_second": round(per_second),
            }
    return result


def main() -> int:
    """The measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="server processes; by default one per core, as in production"
    )
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="zoomin-bench-"))
    try:
        with Services(Settings(home=home)) as services:
            services.prepare()
            settings = services.settings.model_copy(update={"api_rate_per_second": 0.0, "log_level": "WARNING"})
            sys.stdout.write(json.dumps(measure(settings, arguments.rows, arguments.callers, arguments.workers), indent=1) + "\n")
    finally:
        shutil.rmtree(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
