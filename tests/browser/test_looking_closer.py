"""Looking closer from the reviewer's chair: a place is drawn or selected, the model is asked, and its answer changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import Engine

import worker.local.samples
from tests.browser.judging import Chair, sit_down
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.world import RETIRE_CLAIMS, RETIRE_TASKS, TENANT
from tests.integration.look_world import Judged, LookWorld, Script, scripted_moderator
from tests.unit.zoomin.world import picture
from worker.intake.storage import Storage
from worker.moderation.settings import Settings

QUESTION = "Are <b>these</b> letters?"


@dataclass(frozen=True)
class Panel:
    """The panel beside the picture."""

    page: Page
    root: Locator

    @property
    def body(self) -> Locator:
        return self.root.locator('details[data-panel="looks"]')

    @property
    def button(self) -> Locator:
        return self.body.get_by_role("button", name="Look", exact=True)

    def look(self, number: int) -> Locator:
        return self.body.locator("li.look").nth(number - 1)

    def open(self) -> None:
        self.body.locator("summary").click()
        expect(self.body.get_by_role("button", name="Draw a box")).to_be_enabled()

    def draw(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """By mouse, between two places of the viewer, in shares of its sides."""
        frame = self.root.page.locator("zoom-image:visible").bounding_box()
        assert frame is not None
        (x0, y0), (x1, y1) = [(frame["x"] + frame["width"] * x, frame["y"] + frame["height"] * y) for x, y in (start, end)]
        self.page.mouse.move(x0, y0)
        self.page.mouse.down()
        self.page.mouse.move(x1, y1, steps=4)
        self.page.mouse.up()


@pytest.fixture(scope="module")
def world(engine: Engine, site_settings: Settings, storage: Storage) -> Iterator[LookWorld]:
    script = Script()
    with scripted_moderator(site_settings, script) as (moderator, vision):
        yield LookWorld(engine, site_settings, storage, moderator, vision, script)


@pytest.fixture
def image(world: LookWorld, site: str) -> Judged:
    """The only one that waits."""
    for retire in (RETIRE_TASKS, RETIRE_CLAIMS):
        world.world.rows(retire)
    return world.judged(TENANT, (Path(worker.local.samples.__path__[0]) / "astronaut-regenerated.jpg").read_bytes())


def at_the_desk(page: Page) -> tuple[Chair, Panel]:
    chair = sit_down(page)
    expect(chair.task).to_be_visible()
    return chair, Panel(page, chair.task)


def test_a_reviewer_draws_a_place_asks_and_reads_the_answer_without_judging_a_box(reviewer: Page, world: LookWorld, image: Judged) -> None:
    chair, panel = at_the_desk(reviewer)
    chair.keys("l")
    expect(panel.button).to_be_disabled()
    nothing = panel.body.get_by_text("There are no looks that you may see yet.")
    expect(nothing).to_be_visible()
    panel.draw((0.4, 0.55), (0.6, 0.75))
    expect(panel.body).to_contain_text("pixels at")
    panel.body.get_by_label("Question").fill(QUESTION)
    panel.body.get_by_label("Question").press("Enter")
    expect(panel.look(1)).to_contain_text("Waits for the model.")
    expect(nothing).to_be_hidden()
    assert len(world.answer()) == 1
    answered = panel.look(1)
    expect(answered).to_contain_text("six fingers")
    expect(answered).to_contain_text(QUESTION)
    expect(answered).to_contain_text("Of this crop alone it says generated (0.75, not calibrated). That is no verdict on the image.")
    expect(answered.get_by_role("img")).to_have_js_property("complete", True)  # noqa: FBT003  a property's value
    expect(panel.body.locator("[data-said]")).to_have_text("Look 1: six fingers")
    assert chair.judgements() == []
    check_accessible(reviewer)
    answered.scroll_into_view_if_needed()
    screenshot(reviewer, "looks")
    reviewer.emulate_media(color_scheme="dark")
    reviewer.set_viewport_size({"width": 820, "height": 1180})
    answered.scroll_into_view_if_needed()
    screenshot(reviewer, "looks-dark-narrow")
    reviewer.set_viewport_size({"width": 1280, "height": 800})

    chair.keys("Escape", "1")
    expect(panel.body.locator("[data-where]")).to_have_text("Box 1")
    world.storage.put(world.settings.upload_bucket, image.key, picture(), "image/png")
    panel.button.click()
    expect(panel.look(2)).to_contain_text("box 1")
    world.answer()
    expect(panel.look(2)).to_contain_text("It could not be looked at")
    expect(panel.look(2)).to_contain_text("no longer the image that was judged")


def test_a_place_is_drawn_by_keyboard_and_a_lead_goes_on_from_the_case_page(lead: Page, world: LookWorld, image: Judged) -> None:
    lead.goto(f"/review/items/{image.item}")
    panel = Panel(lead, lead.locator("main"))
    panel.open()
    lead.get_by_role("button", name="Draw a box").press("Enter")
    for key in ("Enter", "ArrowRight", "Alt+ArrowDown", "Enter"):
        lead.keyboard.press(key)
    expect(panel.body.locator("[data-where]")).to_contain_text("pixels at")
    panel.button.press("Enter")
    expect(panel.look(1)).to_contain_text("Waits for the model.")
    world.answer()
    expect(panel.look(1)).to_contain_text("six fingers")
    lead.reload()
    expect(panel.look(1)).to_contain_text("six fingers")
    expect(panel.look(1)).to_contain_text("you,")
    panel.look(1).get_by_role("button", name="Show where look 1 was").click()
    expect(lead.locator('.viewer-box[data-key="look"]')).to_have_attribute("aria-pressed", "true")
    screenshot(lead, "looks-case")
