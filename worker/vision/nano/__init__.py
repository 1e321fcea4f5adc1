"""Nano: the checkpoint that comes with the repository, small enough for a laptop; and how good it is."""

from pathlib import Path

NAME = "nano"
CHECKPOINT = Path(__file__).parent / "checkpoint"
REPORT = Path(__file__).parent / "report.json"  # of `zoomin evaluate` on the test split, with these weights
