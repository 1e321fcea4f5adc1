"""Nano: a small Qwen2.5-VL, whole system on a laptop. `checkpoint/` is what is shipped, `build.py` completes it."""

from pathlib import Path

NAME = "nano"
REPORT = Path(__file__).parent / "report.json"  # of `zoomin evaluate` on the test split, with the shipped weights
