"""Boxes: right, wrong, moved, missed; by mouse and by keyboard."""

from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.cases import CASES, CITRUS, PORTRAIT
from tests.browser.judging import Chair, sit_down
from tests.browser.seeing import screenshot
from tests.browser.watching import Watch
from tests.browser.world import Seeded

WIDTH = HEIGHT = 512  # of the portrait
FIRST = next(case for case in CASES if case.name == PORTRAIT).regions[0].box
STEP = 5  # pixels of the portrait for an arrow: 1 %
NEAR = 3  # pixels: a pointer is between them


@dataclass(frozen=True)
class Point:
    x: float
    y: float


@pytest.fixture
def chair(reviewer: Page, seeded: Seeded) -> Chair:
    seeded.offer(PORTRAIT)
    chair = sit_down(reviewer)
    chair.sees(seeded.task(PORTRAIT))
    assert chair.task.locator("zoom-image").evaluate("(viewer) => viewer.ready")
    return chair


def at(chair: Chair, x: float, y: float) -> Point:
    """Where a pixel of the original is on the screen."""
    frame = chair.task.locator("zoom-image img").bounding_box()
    assert frame
    return Point(frame["x"] + x * frame["width"] / WIDTH, frame["y"] + y * frame["height"] / HEIGHT)


def drag(chair: Chair, start: Point, end: Point) -> None:
    """As a hand does, in steps."""
    mouse = chair.page.mouse
    mouse.move(start.x, start.y)
    mouse.down()
    mouse.move(end.x, end.y, steps=8)
    mouse.up()


def is_near(box: tuple[int, ...] | None, wanted: tuple[int, ...]) -> bool:
    return box is not None and all(abs(one - other) <= NEAR for one, other in zip(box, wanted, strict=True))


def test_a_box_is_right_or_wrong_by_mouse(chair: Chair, seeded: Seeded) -> None:
    right, wrong = (chair.region(1).get_by_role("button", name="Right"), chair.region(3).get_by_role("button", name="Wrong"))
    right.click()
    wrong.click()
    expect(right).to_have_attribute("aria-pressed", "true")
    expect(chair.box(3)).to_have_accessible_name("Box 3: stripes merge at the fold, rejected")
    wrong.click()
    expect(wrong).to_have_attribute("aria-pressed", "false")
    chair.answer("r")
    expect(chair.notices).to_contain_text("generated")
    assert seeded.judgements(PORTRAIT) == [("accept", 1, None)]


def test_a_box_is_dragged_to_where_it_belongs(chair: Chair, seeded: Seeded) -> None:
    x0, y0, x1, y1 = FIRST
    chair.keys("1")
    drag(chair, at(chair, (x0 + x1) / 2, (y0 + y1) / 2), at(chair, (x0 + x1) / 2 + 40, (y0 + y1) / 2 - 60))
    expect(chair.region(1).get_by_role("button", name="Move")).to_have_attribute("aria-pressed", "true")
    screenshot(chair.page, "box-moved")
    chair.answer("r")
    expect(chair.notices).to_contain_text("generated")
    ((kind, position, box),) = seeded.judgements(PORTRAIT)
    assert (kind, position) == ("move", 1)
    assert is_near(box, (x0 + 40, y0 - 60, x1 + 40, y1 - 60)), box


def test_a_box_is_moved_and_resized_by_keyboard(chair: Chair, seeded: Seeded) -> None:
    x0, y0, x1, y1 = FIRST
    chair.keys("1", "m", "ArrowRight", "ArrowRight", "ArrowUp", "Alt+ArrowDown", "Enter")
    chair.answer("r")
    expect(chair.notices).to_contain_text("generated")
    ((kind, position, box),) = seeded.judgements(PORTRAIT)
    assert (kind, position) == ("move", 1)
    assert is_near(box, (x0 + 2 * STEP, y0 - STEP, x1 + 2 * STEP, y1)), box


def test_a_move_is_given_up_by_escape(chair: Chair) -> None:
    chair.keys("1", "m", "ArrowRight", "Escape")
    assert chair.judgements() == []
    chair.keys("m", "ArrowRight", "Enter", "Delete")
    assert chair.judgements() == []


def test_a_missed_box_is_drawn_with_the_mouse(chair: Chair, seeded: Seeded) -> None:
    chair.task.get_by_role("button", name="Add a box").click()
    drag(chair, at(chair, 400, 420), at(chair, 480, 500))
    expect(chair.task.locator("[data-added]")).to_have_text("1 added")
    chair.answer("r")
    expect(chair.notices).to_contain_text("generated")
    ((kind, position, box),) = seeded.judgements(PORTRAIT)
    assert (kind, position) == ("add", None)
    assert is_near(box, (400, 420, 480, 500)), box


def test_a_missed_box_is_placed_by_keyboard_and_removed_again(chair: Chair) -> None:
    chair.keys("b", "Enter", "ArrowLeft", "Enter")
    (added,) = chair.judgements()
    assert added["kind"] == "add"
    chair.keys("Delete")
    assert chair.judgements() == []


def test_a_box_can_be_added_where_the_scan_named_none(reviewer: Page, seeded: Seeded) -> None:
    seeded.offer(CITRUS)
    chair = sit_down(reviewer)
    expect(chair.task.get_by_text("The scan named no region")).to_be_visible()
    chair.keys("b", "Enter", "Enter")
    chair.answer("r")
    expect(chair.notices).to_contain_text("generated")
    ((kind, position, box),) = seeded.judgements(CITRUS)
    assert (kind, position) == ("add", None)
    assert box


def test_a_box_that_is_dragged_out_of_the_image_stays_in_it(chair: Chair, seeded: Seeded) -> None:
    x0, y0, x1, y1 = FIRST
    chair.keys("1")
    drag(chair, at(chair, (x0 + x1) / 2, (y0 + y1) / 2), at(chair, WIDTH + 300, -200))
    chair.answer("r")
    expect(chair.notices).to_contain_text("generated")
    ((kind, _, box),) = seeded.judgements(PORTRAIT)
    assert (kind, box) == ("move", (WIDTH - (x1 - x0), 0, WIDTH, y1 - y0))


def test_a_box_outside_the_image_is_refused_and_nothing_that_was_typed_is_lost(chair: Chair, seeded: Seeded, watch: Watch) -> None:
    def tamper(route: Route) -> None:
        body = route.request.post_data_json
        body["judgements"] = [{"kind": "add", "box": [0, 0, WIDTH + 1, HEIGHT]}]
        route.continue_(post_data=body)

    watch.expect(422, "/reviews")
    chair.page.route("**/reviews", tamper)
    chair.answer("r", "My own words.")
    expect(chair.complaint).to_contain_text("does not lie in the image")
    chair.sees(seeded.task(PORTRAIT))
    expect(chair.note).to_have_value("My own words.")
    assert seeded.reviews(PORTRAIT) == []
    chair.page.unroute("**/reviews")
    chair.keys("Escape", "n")
    expect(chair.notices).to_contain_text("takes effect")
    assert [note for _, _, note in seeded.reviews(PORTRAIT)] == ["My own words."]
