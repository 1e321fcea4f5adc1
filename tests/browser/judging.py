"""The judging page, from a reviewer's chair."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import WAIT_MS

REASON = "Looked at twice."
PAUSE = 50  # milliseconds between two looks


@dataclass(frozen=True, slots=True)
class Chair:
    """Somebody at the judging page."""

    page: Page

    @property
    def task(self) -> Locator:
        """The task that is shown."""
        return self.page.locator("article.task:not([hidden])")

    @property
    def note(self) -> Locator:
        """Where the reason is written."""
        return self.task.get_by_label("Reason")

    @property
    def notices(self) -> Locator:
        """Messages in the corner."""
        return self.page.locator("#notices")

    @property
    def complaint(self) -> Locator:
        """What is wrong with the answer."""
        return self.task.get_by_role("alert")

    def verdict(self, name: str) -> Locator:
        """One of the three: Approve, Reject, Unsure."""
        return self.task.get_by_role("radio", name=name)

    def sees(self, task: int) -> None:
        """Waits until this task is in front."""
        expect(self.task).to_have_id(f"task-{task}")

    def sees_nothing(self) -> None:
        """Waits until nothing is left."""
        expect(self.page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()

    def box(self, number: int) -> Locator:
        """A box on the picture."""
        return self.task.locator(f'.viewer-box[data-key="{number}"]')

    def region(self, number: int) -> Locator:
        """What is said of a box, beside the picture."""
        return self.task.locator(f'li.region[data-position="{number}"]')

    def keys(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, reason: str = REASON) -> None:
        """Writes the reason, by keyboard alone, and leaves the field."""
        self.keys("e")
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(reason)
        self.keys("Escape")

    def answer(self, verdict: str, reason: str = REASON) -> None:
        """Answers by keyboard: `a`, `r` or `u`, the first clause where one is asked for, a reason, and on to the next."""
        self.keys(verdict)
        clause = self.task.get_by_label("Clause")
        if clause.is_visible():
            self.keys("c", "ArrowDown", "Escape")
        self.write(reason)
        self.keys("n")

    def judgements(self) -> Sequence[Any]:
        """What is said of the boxes, as it would be sent."""
        return self.page.evaluate("document.querySelector('article.task:not([hidden]) zoom-image').judgements()")  # type: ignore[no-any-return]


def sit_down(page: Page, queue: str = "default") -> Chair:
    """Goes to a queue's judging page, and waits until something, or nothing, is there to judge."""
    page.goto(f"/review/queues/{queue}")
    chair = Chair(page)
    expect(chair.task.or_(page.locator("#empty:not([hidden])"))).to_be_visible()
    return chair


def eventually(page: Page, holds: Callable[[], bool]) -> bool:
    """Whether it becomes true before long; the page goes on meanwhile."""
    for _ in range(WAIT_MS // PAUSE):
        if holds():
            return True
        page.wait_for_timeout(PAUSE)
    return holds()
