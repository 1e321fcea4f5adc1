"""Nano untrained, and photographs as layers, small enough to train on in seconds."""

from pathlib import Path

import pytest
import torch

from tests.unit.lab.training.layers import write_dataset
from worker.lab.training.export import export_checkpoint
from worker.lab.training.student import Student
from worker.vision.nano import CHECKPOINT


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # tiny matrices gain nothing from a second one, and starve beside other work


@pytest.fixture(scope="session")
def nano_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nano with weights as before any training: what is known already cannot be seen to be learnt."""
    student = Student.untrained(CHECKPOINT, 3)
    return export_checkpoint(student.model, CHECKPOINT, tmp_path_factory.mktemp("nano") / "untrained").path


@pytest.fixture(scope="module")
def student(nano_folder: Path) -> Student:
    return Student.untrained(nano_folder, 3)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs, as `zoomin dataset build` lays them out; of their pictures, the labels alone."""
    return write_dataset(tmp_path_factory.mktemp("dataset"))
