"""`python -m tests.fuzz`: schemathesis against a freshly started server on real Postgres and S3. Exits non-zero on any failure.

`make fuzz` runs it long; a bounded, seeded slice of it is a test.
"""

import argparse
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from tests.integration.api_world import judged_batch, new_key
from tests.integration.sign_in_world import api_server, local_issuer, signing_in
from worker.intake.storage import Storage
from worker.local.ports import free_ports
from worker.local.services import Services
from worker.moderation.settings import Settings
from worker.moderation.targets import parse_target
from worker.store.sealing import sealer
from worker.store.session import connect, transaction
from worker.store.webhook_deliveries import send_test
from worker.store.webhook_endpoints import create_endpoint

ROOT = Path(__file__).parents[1]
CONFIGURATION = ROOT / "tests" / "schemathesis.toml"
EXAMPLES = {"manifest.jsonl.gz": b'{"source-ref": "s3://zoomin-uploads/a.jpg"}\n', "a.jpg": b"x", "2026/a.jpg": b"x"}  # of the document


@contextmanager
def serving(settings: Settings, *, workers: int = 1) -> Iterator[str]:
    """An API in processes of its own, as an operator starts it, on a free port: its address."""
    with api_server(settings.model_copy(update={"api_port": free_ports(1)[0]}), workers=workers) as address:
        yield address


def fuzz(settings: Settings, *, seed: int, examples: int, seconds: int | None = None, phases: str | None = None) -> int:
    """Runs all checks with `examples` per operation: schemathesis's exit code. The database gets judged batches to find."""
    settings = settings.model_copy(update={"api_rate_per_second": 0.0, "log_level": "WARNING"})
    engine, storage = connect(settings, application="zoomin-fuzz"), Storage(settings)
    for key, body in EXAMPLES.items():
        storage.put(settings.upload_bucket, key, body, "application/octet-stream")
    for _ in range(3):
        judged_batch(engine, storage, settings)
    _add_endpoint(engine, settings)
    key = new_key(engine).text
    engine.dispose()
    settings = signing_in(settings, f"http://127.0.0.1:{free_ports(1)[0]}", 80)
    with local_issuer(settings), serving(settings) as address:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run", f"{address}/openapi.json"]
        command += ["--checks", "all", "--seed", str(seed), "--max-examples", str(examples), "--header", f"Authorization: Bearer {key}"]
        command += ["--generation-database", "none", "--no-color", "--continue-on-failure"]
        command += ["--max-time", str(seconds)] if seconds else []
        command += ["--phases", phases] if phases else []
        return subprocess.run(command, check=False, cwd=tempfile.gettempdir()).returncode


def _add_endpoint(engine: Engine, settings: Settings) -> None:
    """One to find: whatever can be made up is no target, or somebody's."""
    target = parse_target("https://hooks.example.com/zoomin", private_targets=False)
    with transaction(engine) as session:
        made = create_endpoint(
            session, tenant_id="default", target=target, types=["batch.completed"], sealer=sealer(settings), actor="fuzz"
        )
        send_test(session, made.endpoint.id, tenant_id="default", actor="fuzz")


def main() -> int:
    """The whole run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--phases")
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="zoomin-fuzz-"))
    try:
        with Services(Settings(home=home)) as services:
            services.prepare()
            sys.stdout.write(f"seed {arguments.seed}\n")
            return fuzz(
                services.settings, seed=arguments.seed, examples=arguments.examples, seconds=arguments.seconds, phases=arguments.phases
            )
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    sys.exit(main())
