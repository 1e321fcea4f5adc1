import os
import subprocess
import sys

from worker.queue.owners import is_gone, owner_name


def test_a_dead_process_of_this_machine_is_gone() -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    assert is_gone(owner_name(dead.pid))


def test_a_living_process_is_not_gone() -> None:
    assert not is_gone(owner_name(os.getppid()))


def test_whoever_had_our_process_id_before_us_is_gone() -> None:
    assert is_gone(owner_name(os.getpid()))


def test_nothing_is_known_of_other_machines_and_namespaces() -> None:
    host, boot, namespace, _ = owner_name(1).rsplit(":", 3)
    for other in (f"elsewhere:{boot}:{namespace}:999999", f"{host}:00000000:{namespace}:999999", f"{host}:{boot}:1:999999", "odd", ""):
        assert not is_gone(other)
