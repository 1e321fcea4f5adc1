import subprocess
import sys

HEAVY = "torch transformers vllm celery sqlalchemy"


def test_choosing_a_model_loads_no_engine() -> None:
    program = f"import sys, worker.vision.load, worker.vision.scripted; print([m for m in '{HEAVY}'.split() if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip() == "[]"
