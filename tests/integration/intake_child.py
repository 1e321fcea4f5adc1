"""Takes in a manifest in a process of its own, slowly, so that it can be killed half-way: `intake_child.py URL MANIFEST KEY`."""

import sys
import time

from pydantic import SecretStr

from worker.intake import enqueue_batch
from worker.moderation.settings import Settings

if __name__ == "__main__":
    url, manifest, key = sys.argv[1:]
    settings = Settings(database_url=SecretStr(url), buckets=("photos",))
    enqueue_batch(manifest, settings=settings, idempotency_key=key, progress=lambda _: time.sleep(0.3))
