"""Nano: a small Qwen2.5-VL, whole system on a laptop. `checkpoint/` is what is shipped, `build.py` completes it."""
