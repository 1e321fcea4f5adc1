"""The API process stays light."""

import subprocess
import sys

HEAVY = ("torch", "vllm", "celery", "kombu", "redis", "transformers")


def test_importing_the_api_loads_no_engine_and_no_queue() -> None:
    code = f"import api.app, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "[]\n"
