"""A policy that asks for more: a clause, a reason, a second pair of eyes."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.browser.cases import BRIDGE, PORTRAIT
from tests.browser.judging import sit_down
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.world import TENANT, Seeded, seed
from worker.intake.storage import Storage
from worker.moderation.policy import DEFAULT_BANDS, DEFAULT_POLICY, Action, Clause
from worker.moderation.review import DEFAULT_QUEUE
from worker.moderation.settings import Settings
from worker.store.models.policies import VersionState
from worker.store.policies import Draft, move_version, write_version
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

CLAUSES = (
    Clause("synthetic-media", "4.2 Synthetic media", "Shows something that no camera saw."),
    Clause("authentic", "4.1 Authentic photographs", "Nothing speaks against a camera."),
)


@pytest.fixture(scope="module")
def strict_policy(engine: Engine) -> None:
    """From now on answers rest on a clause, and nothing is removed by one person alone."""
    draft = Draft(bands=DEFAULT_BANDS, queue=DEFAULT_QUEUE, clauses=CLAUSES, reason_required=True, four_eyes=frozenset({Action.REMOVE}))
    with transaction(engine) as session:
        ensure_tenant(session, TENANT)
        made = write_version(session, TENANT, DEFAULT_POLICY, draft, actor="test")
        move_version(session, TENANT, DEFAULT_POLICY, made.version, VersionState.LIVE, actor="test")


@pytest.fixture
def strictly_seeded(strict_policy: None, site_settings: Settings, engine: Engine, storage: Storage) -> Seeded:
    seeded = seed(site_settings, engine, storage)
    seeded.offer(PORTRAIT, BRIDGE)
    return seeded


def test_a_clause_is_asked_for_brings_its_reason_and_is_suggested_for_the_next(strictly_seeded: Seeded, reviewer: Page) -> None:
    chair = sit_down(reviewer)
    chair.keys("r", "n")
    expect(chair.complaint).to_contain_text("Choose the policy clause")
    clause = chair.task.get_by_label("Clause")
    expect(clause).to_be_focused()
    chair.keys("ArrowDown")
    expect(clause).to_have_value("synthetic-media")
    expect(chair.note).to_have_value("Shows something that no camera saw.")
    expect(chair.complaint).to_have_count(0)
    check_accessible(reviewer)
    screenshot(reviewer, "clause")
    chair.keys("Escape", "n")
    chair.sees(strictly_seeded.task(BRIDGE))
    expect(chair.notices).to_contain_text("generated")
    chair.keys("r")
    expect(chair.task.get_by_label("Clause")).to_have_value("synthetic-media")
    strictly_seeded.take_effect()
    decision = strictly_seeded.decision(PORTRAIT)
    assert (decision.clause, decision.reason) == ("synthetic-media", "Shows something that no camera saw.")


def test_one_s_own_words_outlive_another_clause(strictly_seeded: Seeded, reviewer: Page) -> None:
    chair = sit_down(reviewer)
    chair.keys("r")
    chair.write("My own words.")
    chair.task.get_by_label("Clause").select_option("authentic")
    expect(chair.note).to_have_value("My own words.")


def test_removing_takes_two(strictly_seeded: Seeded, reviewer: Page, colleague: Page) -> None:
    for page, count in ((reviewer, 1), (colleague, 2)):
        chair = sit_down(page)
        chair.sees(strictly_seeded.task(PORTRAIT))
        assert strictly_seeded.decision(PORTRAIT) is None
        chair.keys("r")
        chair.task.get_by_label("Action").select_option("remove")
        chair.task.get_by_label("Clause").select_option("synthetic-media")
        chair.keys("Escape", "n")
        expect(chair.notices).to_contain_text("generated, remove")
        assert len(strictly_seeded.reviews(PORTRAIT)) == count
        strictly_seeded.take_effect()
    assert strictly_seeded.decision(PORTRAIT).action == "remove"
