"""More than one person: blind beside each other, a lead when they differ, and two who hammer one queue."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.browser.cases import CASES, PASSED, PORTRAIT
from tests.browser.judging import eventually, sit_down
from tests.browser.people import House
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.world import seed
from worker.intake.storage import Storage
from worker.moderation.settings import Settings

MANY = 30  # tasks that two people hammer
HAMMER = """
void (window.sitting = (async () => {
  const seen = [];
  const shown = () => document.querySelector("article.task:not([hidden])");
  const pause = () => new Promise((resume) => setTimeout(resume, 5));
  const empty = () => !document.getElementById("empty").hidden;
  for (;;) {
    while (!shown() && !empty()) await pause();
    const task = shown();
    if (!task) return seen;
    seen.push([Number(task.dataset.task), task.dataset.token]);
    task.querySelector("input[value=real]").click();
    const note = task.querySelector("textarea[name=note]");
    note.value = "Seen.";
    note.dispatchEvent(new Event("input", { bubbles: true }));
    task.querySelector("[data-command=record]").click();
    while (shown() === task) await pause();
  }
})())
"""


def test_two_judge_blind_and_a_lead_settles_what_they_differ_on(
    site_settings: Settings, engine: Engine, storage: Storage, house: House, actors: dict[str, str]
) -> None:
    seeded = seed(site_settings, engine, storage, slots=2)
    seeded.offer(PORTRAIT)
    task = seeded.task(PORTRAIT)
    rita, rob = (sit_down(house.sign_in(who)) for who in ("reviewer", "colleague"))
    for chair, verdict, words in ((rita, "a", "Real to me."), (rob, "r", "Those are no letters.")):
        chair.sees(task)
        assert "Real to me." not in chair.page.content()
        assert actors["reviewer"] not in rob.page.content()
        chair.answer(verdict, words)
        expect(chair.notices).to_contain_text(f"Task {task}")
    assert seeded.decision(PORTRAIT) is None
    seeded.take_effect()
    assert seeded.state(PORTRAIT) == "escalated"
    rita.page.reload()
    expect(rita.task).not_to_have_id(f"task-{task}")
    lena = sit_down(house.sign_in("lead"))
    lena.sees(task)
    said = lena.task.get_by_role("region", name="What its reviewers answered")
    for words in ("Real to me.", "Those are no letters."):
        expect(said).to_contain_text(words)
    check_accessible(lena.page)
    screenshot(lena.page, "escalated")
    lena.answer("r", "Rob is right.")
    expect(lena.notices).to_contain_text("generated")
    seeded.take_effect()
    decision = seeded.decision(PORTRAIT)
    assert (decision.verdict, decision.basis, decision.decided_by) == ("generated", "lead", actors["lead"])


@pytest.mark.parametrize("slots", [1, 2])
def test_two_who_hammer_one_queue_never_have_the_same_slot(
    site_settings: Settings, engine: Engine, storage: Storage, reviewer: Page, colleague: Page, slots: int
) -> None:
    judged = [case for case in CASES if case.name in {PORTRAIT, "bridge", "citrus"}]
    assert PASSED not in {case.name for case in judged}
    cases = [replace(judged[n % len(judged)], name=f"many-{n}") for n in range(MANY)]
    seeded = seed(site_settings, engine, storage, cases=cases, slots=slots)
    pages = (reviewer, colleague)
    for page in pages:
        sit_down(page)
    for page in pages:
        page.evaluate(HAMMER)
    seen = [page.evaluate("window.sitting") for page in pages]
    for page in pages:
        expect(page.locator("#notices .failed")).to_have_count(0)
    sql = "SELECT task_id, slot FROM reviews WHERE task_id IN (SELECT id FROM review_tasks WHERE batch_id = :id)"
    assert eventually(reviewer, lambda: len(seeded.world.rows(sql, id=seeded.batch_id)) == MANY * slots)
    answers = seeded.world.rows(sql, id=seeded.batch_id)
    assert len({(row.task_id, row.slot) for row in answers}) == MANY * slots
    assert len({token for one in seen for _, token in one}) == sum(map(len, seen))
    tasks = [{task for task, _ in one} for one in seen]
    assert tasks[0] | tasks[1] == {row.task_id for row in answers}
    assert len(tasks[0] & tasks[1]) == (0 if slots == 1 else MANY)
    assert all(tasks), "one of the two never had a turn"
