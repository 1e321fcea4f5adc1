"""A bounded, seeded slice of `make fuzz`."""

import pytest

from tests.fuzz import fuzz
from worker.moderation.settings import Settings

SEED = 20_261_126


@pytest.mark.timeout(240)
def test_schema_driven_requests_find_no_fault(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    code = fuzz(settings, seed=SEED, examples=3)
    assert code == 0, capfd.readouterr().out[-20_000:]
