"""Measures intake against a raw COPY of the very same rows into the very same kind of table, on the same Postgres, in one run.

Behind `zoomin bench intake`. Everything happens in a scratch database, so that no dispatcher sees the batch and nothing stays.
"""

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psycopg
from pydantic import SecretStr

from worker.intake.enqueue import enqueue_batch
from worker.moderation.errors import MisconfiguredError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.settings import Settings
from worker.store.scratch import plain_url, scratch_database, scratch_server
from worker.store.slices import COPY_ITEMS

BUCKET = "zoomin-bench"
WRITE_BYTES = 1 << 18  # of the raw COPY at a time: fewer and larger writes are not quicker


@dataclass(frozen=True, slots=True)
class IntakeBenchmark:
    """What was measured. The raw COPY's rows are prepared as bytes before its clock starts; intake's clock covers everything."""

    rows: int
    rows_per_s: float
    raw_copy_rows_per_s: float
    peak_rss_mb: float  # of a fresh process that does the intake

    @property
    def ratio(self) -> float:
        """Intake's speed as a share of the raw COPY's."""
        return self.rows_per_s / self.raw_copy_rows_per_s


def measure_intake(rows: int, settings: Settings) -> IntakeBenchmark:
    """Takes in a manifest of `rows` lines between two raw COPYs of half of them each, so that a noisy neighbour meets both.

    Uses the Postgres of the settings, as its owner, or starts one of its own when none is named. Raises MisconfiguredError.
    """
    with TemporaryDirectory(prefix="zoomin-bench-") as place, scratch_server(settings) as server, scratch_database(server) as url:
        _create_raw_table(url)
        manifest = Path(place, "manifest.jsonl")
        with manifest.open("w") as file:
            file.writelines(f'{{"source-ref": "s3://{BUCKET}/{_key(n)}", "custom_id": "{_custom_id(n)}"}}\n' for n in range(rows))
        halves = (range(rows // 2), range(rows // 2, rows))
        first = _raw_copy(url, halves[0])
        seconds, peak_rss_mb = _intake_in_child(url, manifest, rows)
        return IntakeBenchmark(rows, rows / seconds, rows / (first + _raw_copy(url, halves[1])), peak_rss_mb)


def _key(number: int) -> str:
    return f"photos/2026/11/{number // 1000:05d}/{number:09d}.jpg"


def _custom_id(number: int) -> str:
    return f"photo-{number:09d}"


def _create_raw_table(url: str) -> None:
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        # INCLUDING ALL brings both indexes; partitions of its own make it the same shape.
        connection.execute("CREATE TABLE raw_items (LIKE items INCLUDING ALL) PARTITION BY RANGE (batch_id)")
        connection.execute("CREATE TABLE raw_items_p_default PARTITION OF raw_items DEFAULT")


def _raw_copy(url: str, numbers: range) -> float:
    """Seconds of one COPY and its commit."""
    batch_id = new_uuid7()
    data = "".join(_copy_line(batch_id, number) for number in numbers).encode()
    pieces = [data[start : start + WRITE_BYTES] for start in range(0, len(data), WRITE_BYTES)]
    with psycopg.connect(plain_url(url)) as connection:
        started = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(COPY_ITEMS.replace("COPY items", "COPY raw_items")) as copy:
            for piece in pieces:
                copy.write(piece)
        connection.commit()
        return time.perf_counter() - started


def _copy_line(batch_id: UUID, number: int) -> str:
    return f"{batch_id}\t{number}\t{_custom_id(number)}\t{BUCKET}\t{_key(number)}\t\\N\t{number + 1}\t\\N\n"


def _intake_in_child(url: str, manifest: Path, rows: int) -> tuple[float, float]:
    """Seconds and peak MB of a fresh process: this one holds the prepared rows, and a fork would inherit their memory."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_take_in, args=(url, manifest, rows, sender))
    child.start()
    sender.close()
    try:
        seconds, peak_rss_mb = receiver.recv()
    except EOFError:
        raise MisconfiguredError("bench_failed", "The intake's process ended early; its message is above.") from None
    finally:
        child.join()
    return seconds, peak_rss_mb


def _take_in(url: str, manifest: Path, rows: int, result: Connection) -> None:
    settings = Settings(database_url=SecretStr(url), buckets=(BUCKET,))
    started = time.perf_counter()
    receipt = enqueue_batch(str(manifest), settings=settings)
    seconds = time.perf_counter() - started
    if (receipt.accepted, receipt.rejected) != (rows, 0):
        raise AssertionError(f"accepted {receipt.accepted} and rejected {receipt.rejected} of {rows} rows")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    result.send((seconds, int(status["VmHWM"].split()[0]) / 1024))
