"""What goes wrong in mid-decision: lost leases, double clicks, ended sessions, no network. Nothing that was typed is lost."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.browser.cases import BRIDGE, PORTRAIT
from tests.browser.judging import Chair, eventually, sit_down
from tests.browser.people import PEOPLE, choose
from tests.browser.seeing import screenshot
from tests.browser.watching import NO_ANSWER, Watch
from tests.browser.world import TENANT, Seeded
from worker.moderation.people import Role
from worker.store.people import change_role
from worker.store.review_tasks import Claimant, reassign_task
from worker.store.session import transaction

WORDS = "I looked at the letters for a long time."
A_SECOND = 1_100  # milliseconds, until a server looks a session up again


@pytest.fixture
def chair(reviewer: Page, seeded: Seeded) -> Chair:
    """Somebody who has decided on the portrait, and written why, but not sent it."""
    seeded.offer(PORTRAIT, BRIDGE)
    chair = sit_down(reviewer)
    chair.sees(seeded.task(PORTRAIT))
    expect(reviewer.locator(f"#task-{seeded.task(BRIDGE)}")).to_be_attached()
    chair.keys("1", "x", "r")
    chair.write(WORDS)
    return chair


def is_kept(chair: Chair, seeded: Seeded) -> None:
    """The answer is in front again, as it was typed."""
    chair.sees(seeded.task(PORTRAIT))
    expect(chair.note).to_have_value(WORDS)
    expect(chair.verdict("Reject")).to_be_checked()
    assert chair.judgements() == [{"kind": "reject", "position": 1}]


def is_recorded(chair: Chair, seeded: Seeded) -> None:
    """It is sent, and there."""
    chair.keys("Escape", "n")
    chair.sees(seeded.task(BRIDGE))
    expect(chair.notices).to_contain_text(f"Task {seeded.task(PORTRAIT)}: generated")
    assert [note for _, _, note in seeded.reviews(PORTRAIT)] == [WORDS]
    assert seeded.judgements(PORTRAIT) == [("reject", 1, None)]


def test_a_lost_lease_is_taken_anew_when_nobody_else_came(chair: Chair, seeded: Seeded, watch: Watch) -> None:
    seeded.end_claims(PORTRAIT)
    watch.expect(409, "/reviews$")
    chair.keys("n")
    expect(chair.complaint).to_contain_text("Your claim had run out")
    is_kept(chair, seeded)
    is_recorded(chair, seeded)


def test_a_lease_lost_to_somebody_else_gives_back_what_was_typed(chair: Chair, colleague: Page, seeded: Seeded, watch: Watch) -> None:
    seeded.end_claims(PORTRAIT)
    other = sit_down(colleague)
    other.sees(seeded.task(PORTRAIT))
    watch.expect(409, "/reviews$")
    chair.keys("n")
    expect(chair.notices).to_contain_text("it is somebody else's, or answered")
    expect(chair.notices).to_contain_text(WORDS)
    screenshot(chair.page, "lease-lost")
    chair.sees(seeded.task(BRIDGE))
    other.answer("a")
    expect(other.notices).to_contain_text("real")
    assert [verdict for _, verdict, _ in seeded.reviews(PORTRAIT)] == ["real"]


def test_a_task_that_has_changed_is_looked_at_once_more(chair: Chair, seeded: Seeded, watch: Watch, actors: dict[str, str]) -> None:
    reassigned(seeded, actors, "reviewer")
    watch.expect(412, "/reviews$")
    chair.keys("n")
    expect(chair.complaint).to_contain_text("This task has changed")
    is_kept(chair, seeded)
    is_recorded(chair, seeded)


def test_a_task_given_to_somebody_else_gives_back_what_was_typed(
    chair: Chair, seeded: Seeded, watch: Watch, actors: dict[str, str]
) -> None:
    reassigned(seeded, actors, "colleague")
    watch.expect(412, "/reviews$")
    chair.keys("n")
    expect(chair.notices).to_contain_text(WORDS)
    chair.sees(seeded.task(BRIDGE))
    assert seeded.reviews(PORTRAIT) == []


def test_a_task_that_is_answered_elsewhere_says_so(chair: Chair, seeded: Seeded, watch: Watch) -> None:
    seeded.world.rows("UPDATE review_tasks SET state = 'withdrawn', closed_at = now() WHERE id = :id", id=seeded.task(PORTRAIT))
    watch.expect(409, "/reviews$")
    chair.keys("n")
    expect(chair.notices).to_contain_text("was not needed any more")
    chair.sees(seeded.task(BRIDGE))


def test_a_double_click_is_one_answer(chair: Chair, seeded: Seeded) -> None:
    chair.task.get_by_role("button", name="Record, next").dblclick()
    chair.sees(seeded.task(BRIDGE))
    expect(chair.notices).to_contain_text(f"Task {seeded.task(PORTRAIT)}: generated")
    assert (len(seeded.reviews(PORTRAIT)), len(seeded.reviews(BRIDGE))) == (1, 0)


def test_an_answer_that_is_sent_twice_is_recorded_once(chair: Chair, seeded: Seeded) -> None:
    with chair.page.expect_request("**/reviews") as sent:
        chair.keys("n")
    expect(chair.notices).to_contain_text("generated")
    again = chair.page.request.post(sent.value.url, headers=sent.value.all_headers(), data=sent.value.post_data)
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
    assert len(seeded.reviews(PORTRAIT)) == 1


def test_whoever_was_signed_out_signs_in_and_finds_their_place_and_their_words(chair: Chair, seeded: Seeded, watch: Watch) -> None:
    seeded.world.rows("UPDATE people_sessions SET ended_at = now() WHERE ended_at IS NULL")
    chair.page.wait_for_timeout(A_SECOND)
    watch.expect(401, "/reviews$")
    watch.allow(401, "/(claims|v1/tasks/.*:release)$")
    chair.keys("n")
    expect(chair.notices).to_contain_text("You have been signed out")
    is_kept(chair, seeded)
    chair.page.get_by_role("button", name="Sign in again").click()
    choose(chair.page, "reviewer")
    expect(chair.page).to_have_url(f"{watch.origin}/review/queues/default")
    is_kept(chair, seeded)
    is_recorded(chair, seeded)


def test_whoever_lost_the_role_is_told_and_keeps_their_words(chair: Chair, seeded: Seeded, watch: Watch, engine: Engine) -> None:
    became(engine, Role.VIEWER)
    try:
        chair.page.wait_for_timeout(A_SECOND)
        watch.expect(403, "/reviews$")
        watch.allow(403, "/claims$")
        chair.keys("n")
        expect(chair.notices).to_contain_text("was not recorded")
        is_kept(chair, seeded)
    finally:
        became(engine, Role.REVIEWER)
    chair.page.wait_for_timeout(A_SECOND)
    is_recorded(chair, seeded)


def test_without_a_network_the_answer_waits_for_another_try(chair: Chair, seeded: Seeded, watch: Watch) -> None:
    watch.expect(NO_ANSWER, "/reviews$")
    watch.allow(NO_ANSWER, "/")
    chair.page.context.set_offline(True)
    chair.keys("n")
    expect(chair.notices).to_contain_text("The server cannot be reached")
    is_kept(chair, seeded)
    chair.page.context.set_offline(False)
    chair.page.get_by_role("button", name="Try again").first.click()
    chair.sees(seeded.task(BRIDGE))
    expect(chair.notices).to_contain_text(f"Task {seeded.task(PORTRAIT)}: generated")
    assert [note for _, _, note in seeded.reviews(PORTRAIT)] == [WORDS]


def test_an_abandoned_page_gives_back_what_it_had_fetched_ahead(chair: Chair, seeded: Seeded) -> None:
    held = "SELECT array_agg(task_id) FROM review_claims WHERE state = 'active'"
    assert len(seeded.world.value(held)) == 2
    chair.page.goto("/review")
    assert eventually(chair.page, lambda: seeded.world.value(held) == [seeded.task(PORTRAIT)])
    chair.page.reload()
    expect(chair.page.get_by_text("You hold 1 task")).to_be_visible()


def reassigned(seeded: Seeded, actors: dict[str, str], to: str) -> None:
    """A lead gives the portrait to somebody."""
    lead = Claimant(tenant_id=TENANT, reviewer=actors["lead"], lead=True)
    with transaction(seeded.world.engine) as session:
        reassign_task(session, lead, seeded.task(PORTRAIT), version=1, to=actors[to])


def became(engine: Engine, role: Role) -> None:
    """Rita has this role from now on."""
    with transaction(engine) as session:
        change_role(session, TENANT, PEOPLE["reviewer"].email, role, actor="test")
