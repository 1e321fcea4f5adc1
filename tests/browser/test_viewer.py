"""The image viewer in a real browser: what is seen where, what hands and keys do, what it says to the page."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser, Page

from tests.browser.viewer_room import FRAME, ORIGINAL, Room, serving, viewer

HAND = {"position": 1, "box": [400, 300, 1600, 1500], "label": "hand with six fingers"}
TEXT = {"position": 2, "box": [700, 500, 1100, 900], "label": "melted text"}  # inside the hand
CORNER = {"position": 3, "box": [3400, 2400, 4000, 3000], "label": "extra leg"}
SPECK = {"position": 4, "box": [2500, 500, 2506, 504], "label": "speck"}
MARGIN = 14  # around a fitted picture, as in viewer/camera.js
FITTED = (FRAME[1] - 2 * MARGIN) / ORIGINAL[1]  # CSS pixels for each of the original's: the height decides


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    with serving() as room:
        yield room


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of which no error, and nothing against the policy, is heard."""
    page = browser.new_page(viewport={"width": 1060, "height": 760})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(error.stack or error.message))
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    refused = page.evaluate("window.refused")
    page.close()
    assert not [fault for fault in faults if not re.search("status of (404|503)", fault)]
    assert refused == []


def call(page: Page, script: str) -> Any:
    """`v` is the viewer."""
    return page.evaluate(f"() => {{ const v = document.querySelector('zoom-image'); return {script} }}")


def shown(page: Page, box: str, scale: float = FITTED) -> list[int]:
    """Where the box is seen, in original pixels from the picture's corner as it is seen."""
    at, picture = page.locator(f".viewer-box[data-key='{box}']").bounding_box(), page.locator("zoom-image img").bounding_box()
    assert at is not None
    assert picture is not None
    left, top = (at["x"] - picture["x"]) / scale, (at["y"] - picture["y"]) / scale
    return [round(side) for side in (left, top, left + at["width"] / scale, top + at["height"] / scale)]


def scale_of(page: Page) -> float:
    picture = page.locator("zoom-image img").bounding_box()
    assert picture is not None
    return picture["width"] / ORIGINAL[0]


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where an original pixel is seen, in the window."""
    picture = page.locator("zoom-image img").bounding_box()
    assert picture is not None
    scale = scale_of(page)
    return picture["x"] + x * scale, picture["y"] + y * scale


def drag(page: Page, start: tuple[float, float], by: tuple[float, float], button: Any = "left") -> None:
    page.mouse.move(*start)
    page.mouse.down(button=button)
    page.mouse.move(start[0] + by[0] / 2, start[1] + by[1] / 2)
    page.mouse.move(start[0] + by[0], start[1] + by[1])
    page.mouse.up(button=button)


def told(page: Page, name: str) -> list[dict[str, Any]]:
    return [detail for heard, detail in page.evaluate("window.told") if heard == name]


def settled(page: Page) -> None:
    """Two frames later: what was asked for is on screen."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def arrived(page: Page) -> None:
    """A jump is over: the picture rests, and is drawn sharp."""
    until(page, "!document.querySelector('zoom-image').classList.contains('moving')")


def until(page: Page, condition: str) -> None:
    """Waits by the page's own frames: the policy forbids what Playwright's waiting is made of."""
    page.evaluate(f"() => new Promise((done) => {{ const look = () => ({condition}) ? done() : requestAnimationFrame(look); look(); }})")


def close(found: list[int], expected: list[float], by: float) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, expected, strict=True))


# What is seen where


def test_boxes_lie_on_their_pixels_though_the_file_is_smaller_than_the_original_and_letterboxed(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND, CORNER]))
    assert scale_of(page) == pytest.approx(FITTED)
    for box in (HAND, CORNER):
        assert close(shown(page, str(box["position"])), box["box"], by=1 / FITTED)


def test_the_wheel_zooms_about_the_pointer(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.focusBox(1)")
    arrived(page)
    pointer = (400, 350)  # whole numbers: that is what a wheel's event tells
    origin = on_screen(page, 0, 0)
    x, y = ((there - zero) / scale_of(page) for there, zero in zip(pointer, origin, strict=True))
    page.mouse.move(*pointer)
    page.mouse.wheel(0, -300)
    settled(page)
    assert on_screen(page, x, y) == pytest.approx(pointer, abs=0.1)
    assert scale_of(page) > FITTED * 2
    assert close(shown(page, "1", scale_of(page)), HAND["box"], by=1 / scale_of(page))


def test_boxes_stay_on_their_pixels_after_zoom_pan_and_another_size(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND, TEXT]))
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -500)
    settled(page)
    drag(page, (900, 600), (-120, -70))
    page.evaluate("document.body.classList.add('small')")
    settled(page)
    scale = scale_of(page)
    assert scale > FITTED * 2, "a zoomed picture keeps its scale in another frame"
    for box in (HAND, TEXT):
        assert close(shown(page, str(box["position"]), scale), box["box"], by=1.5 / scale)


def test_a_fitted_picture_is_fitted_again_in_another_frame(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    page.evaluate("document.body.classList.add('small')")
    settled(page)
    assert scale_of(page) == pytest.approx((500 - 2 * MARGIN) / ORIGINAL[0])


def test_lines_numbers_and_handles_keep_their_size_at_any_zoom(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT]))
    call(page, "v.select(2)")
    sizes = []
    for _ in range(2):
        badge, handle = page.locator(".viewer-badge").bounding_box(), page.locator("[data-edges=se]").bounding_box()
        assert badge is not None
        assert handle is not None
        sizes.append((badge["height"], handle["width"], handle["height"]))
        call(page, "v.focusBox(2)")
        arrived(page)
    assert sizes[0] == sizes[1]
    assert min(sizes[0][1:]) >= 24


def test_a_number_stays_in_the_frame_while_its_box_is_seen(room: Room, page: Page) -> None:
    room.show(page, viewer([{"position": 7, "box": [0, 0, 4000, 3000], "label": "all"}]))
    call(page, "v.fit()")
    page.mouse.move(700, 400)
    page.mouse.wheel(0, -900)
    settled(page)
    badge, frame = page.locator(".viewer-badge").bounding_box(), page.locator("zoom-image").bounding_box()
    assert badge is not None
    assert frame is not None
    assert frame["x"] <= badge["x"]
    assert frame["y"] <= badge["y"]


def test_the_number_of_a_box_out_of_sight_is_out_of_sight(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT, CORNER]))
    call(page, "v.focusBox(2)")
    arrived(page)
    badge, frame = page.locator("[data-key='3'] .viewer-badge").bounding_box(), page.locator("zoom-image").bounding_box()
    assert badge is not None
    assert frame is not None
    assert badge["x"] >= frame["x"] + frame["width"]


def test_single_pixels_are_crisp_when_zoomed_deep(room: Room, page: Page) -> None:
    room.show(page, viewer([SPECK]))
    assert page.locator("img").evaluate("image => getComputedStyle(image).imageRendering") == "auto"
    call(page, "v.focusBox(4)")
    arrived(page)
    assert page.locator("img").evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"


def test_moving_the_view_lays_nothing_out_but_the_boxes(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    before = page.locator("img").evaluate("image => [image.offsetWidth, image.offsetHeight, image.style.width]")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -500)
    settled(page)
    assert page.locator("img").evaluate("image => [image.offsetWidth, image.offsetHeight, image.style.width]") == before


def test_a_box_outside_the_image_is_shown_at_its_edge(room: Room, page: Page) -> None:
    room.show(
        page,
        viewer(
            [{"position": 1, "box": [3900, -50, 5000, 200], "label": ""}, {"position": 2, "box": [9000, 9000, 9900, 9900], "label": ""}]
        ),
    )
    assert [box["box"] for box in call(page, "v.boxes")] == [[3900, 0, 4000, 200], [3999, 2999, 4000, 3000]]


def test_a_label_is_text_and_a_long_one_is_not_read_out_whole(room: Room, page: Page) -> None:
    room.show(page, viewer([{"position": 1, "box": [0, 0, 9, 9], "label": "</script><img src=x onerror=alert(1)>" + "long " * 2_000}]))
    label = page.locator(".viewer-box").get_attribute("aria-label")
    assert label is not None
    assert label.startswith("Box 1: </script><img src=x onerror")
    assert len(label) < 200
    assert page.locator("zoom-image img").count() == 1


# Moving, resizing, adding


def test_a_selected_box_is_dragged_to_new_original_pixels(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1)")
    drag(page, on_screen(page, 1300, 1200), (190.667, 95.333))  # 1000 and 500 original pixels
    [moved] = call(page, "v.judgements()")
    assert (moved["kind"], moved["position"]) == ("move", 1)
    assert close(moved["box"], [1400, 800, 2600, 2000], by=3)
    assert close(shown(page, "1"), moved["box"], by=1 / FITTED)
    assert page.locator(".viewer-original").is_visible()
    assert len(told(page, "boxes-change")) == 1
    assert re.fullmatch(r"Box 1 moved: left \d+, top \d+, 1200 by 1200 pixels", page.get_by_role("status").inner_text())


def test_a_drag_when_zoomed_in_moves_by_what_is_seen(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT]))
    call(page, "(v.select(2), v.focusBox(2))")
    arrived(page)
    scale = scale_of(page)
    drag(page, on_screen(page, 900, 700), (100, -50))
    assert close(call(page, "v.judgements()[0].box"), [700 + 100 / scale, 500 - 50 / scale, 1100 + 100 / scale, 900 - 50 / scale], by=2)


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ("nw", [500, 400, 1600, 1500]), ("n", [400, 400, 1600, 1500]), ("ne", [400, 400, 1700, 1500]), ("e", [400, 300, 1700, 1500]),
        ("se", [400, 300, 1700, 1600]), ("s", [400, 300, 1600, 1600]), ("sw", [500, 300, 1600, 1600]), ("w", [500, 300, 1600, 1500]),
    ],
)  # fmt: skip
def test_each_handle_moves_its_edges(room: Room, page: Page, edges: str, expected: list[float]) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1)")
    handle = page.locator(f"[data-edges={edges}]").bounding_box()
    assert handle is not None
    drag(page, (handle["x"] + 4, handle["y"] + 20), (100 * FITTED, 100 * FITTED))
    assert close(call(page, "v.judgements()[0].box"), expected, by=2)


def test_a_box_stops_at_the_images_edge_and_keeps_its_size(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1)")
    drag(page, on_screen(page, 1000, 900), (-400, -400))
    assert call(page, "v.judgements()[0].box") == [0, 0, 1200, 1200]


def test_a_resized_box_stops_at_the_edge_and_keeps_a_pixel(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1)")
    drag(page, on_screen(page, 1600, 1500), (2000, -900))
    assert call(page, "v.judgements()[0].box") == [400, 300, 4000, 301]


def test_a_corner_below_the_buttons_can_be_taken(room: Room, page: Page) -> None:
    wide = (4000, 2400)  # fills the frame
    room.show(page, viewer([{"position": 1, "box": [3000, 1800, 4000, 2400], "label": ""}], size=wide))
    call(page, "v.select(1)")
    handle = page.locator("[data-edges=se]").bounding_box()
    assert handle is not None
    drag(page, (handle["x"] + 12, handle["y"] + 12), (-60, -60))
    assert call(page, "v.judgements()[0].box[2]") < 3900


def test_escape_during_a_drag_puts_the_box_back(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1, {focus: true})")
    page.mouse.move(*on_screen(page, 1000, 900))
    page.mouse.down()
    page.mouse.move(700, 500)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert call(page, "v.judgements()") == []
    assert close(shown(page, "1"), HAND["box"], by=1 / FITTED)


def test_a_box_put_back_where_it_was_is_not_moved(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1, {focus: true})")
    for keys in (["Enter", "ArrowRight", "Enter"], ["Enter", "ArrowLeft", "Enter"]):
        for key in keys:
            page.keyboard.press(key)
    assert call(page, "v.judgements()") == []
    assert page.locator(".viewer-original").is_hidden()


def test_a_new_box_is_drawn_and_removed(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.startAdding()")
    drag(page, on_screen(page, 3000, 2000), (-190.667, -95.333))  # up and to the left
    [added] = call(page, "v.judgements()")
    assert added["kind"] == "add"
    assert close(added["box"], [2000, 1500, 3000, 2000], by=6)
    assert call(page, "v.selected") == "a1"
    page.keyboard.press("Delete")
    assert call(page, "v.judgements()") == []
    assert page.locator(".viewer-box").count() == 1
    assert call(page, "v.selected") is None


def test_a_new_box_may_begin_on_another_and_ends_at_the_edge(room: Room, page: Page) -> None:
    room.show(page, viewer([CORNER]))
    call(page, "v.startAdding()")
    drag(page, on_screen(page, 3600, 2600), (600, 600))
    assert close(call(page, "v.judgements()[0].box"), [3600, 2600, 4000, 3000], by=6)


def test_a_slip_adds_nothing_and_asks_again(room: Room, page: Page) -> None:
    room.show(page, viewer([]))
    call(page, "v.startAdding()")
    drag(page, on_screen(page, 2000, 1000), (4, 2))
    assert call(page, "v.judgements()") == []
    drag(page, on_screen(page, 2000, 1000), (100, 100))
    assert [one["kind"] for one in call(page, "v.judgements()")] == ["add"]


def test_delete_restores_a_moved_box(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1, {focus: true})")
    drag(page, on_screen(page, 1000, 900), (60, 60))
    page.keyboard.press("Delete")
    assert call(page, "v.judgements()") == []
    assert call(page, "v.boxes[0].box") == HAND["box"]


def test_nothing_is_moved_where_nothing_may_be_edited(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND], attributes=""))
    call(page, "(v.select(1, {focus: true}), v.startAdding())")
    drag(page, on_screen(page, 1000, 900), (60, 60))
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    assert call(page, "v.judgements()") == []
    assert page.locator(".viewer-handles").is_hidden()


# By keyboard


def test_a_box_is_moved_and_resized_by_keyboard_alone(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    for _ in range(2):  # the viewer, then its first box
        page.keyboard.press("Tab")
    for key in ("Enter", "Enter", "ArrowRight", "ArrowDown", "Shift+ArrowLeft", "Alt+ArrowRight", "Alt+Shift+ArrowUp"):
        page.keyboard.press(key)
    assert "436 by" not in page.get_by_role("status").inner_text()
    assert page.get_by_role("status").inner_text() == "left 436, top 330, 1240 by 1197 pixels"
    assert call(page, "v.boxes[0].judgement") is None, "not before it is kept"
    page.keyboard.press("Enter")
    assert call(page, "v.judgements()") == [{"kind": "move", "position": 1, "box": [436, 330, 1676, 1527]}]
    assert page.get_by_role("status").inner_text() == "Box 1 moved: left 436, top 330, 1240 by 1197 pixels"


def test_escape_restores_a_box_that_is_edited_by_keyboard(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1, {focus: true})")
    for key in ("Enter", "ArrowRight", "Escape"):
        page.keyboard.press(key)
    assert call(page, "v.judgements()") == []
    assert close(shown(page, "1"), HAND["box"], by=1 / FITTED)
    assert call(page, "v.selected") == "1"


def test_an_edit_is_kept_when_the_focus_leaves(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.select(1, {focus: true})")
    for key in ("Enter", "ArrowRight", "Tab"):
        page.keyboard.press(key)
    assert call(page, "v.judgements()[0].box") == [440, 300, 1640, 1500]


def test_a_box_is_added_by_keyboard_alone(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "v.startAdding()")
    for key in ("Enter", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    [added] = call(page, "v.judgements()")
    assert added["kind"] == "add"
    x0, y0, x1, y1 = added["box"]
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((2040, 1500), abs=2)
    assert call(page, "document.activeElement.dataset.key") == "a1"


def test_escape_leaves_adding_without_a_box(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    for keys in (["Escape"], ["Enter", "ArrowRight", "Escape"]):
        call(page, "v.startAdding()")
        for key in keys:
            page.keyboard.press(key)
        assert call(page, "v.judgements()") == []
        assert page.locator(".viewer-box").count() == 1
    assert call(page, "v.contains(document.activeElement)")


def test_keys_zoom_and_pan_and_fit(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    page.locator("zoom-image").focus()
    for _ in range(4):
        page.keyboard.press("+")
    arrived(page)
    assert scale_of(page) == pytest.approx(FITTED * 1.25**4)
    before = on_screen(page, 0, 0)
    page.keyboard.press("ArrowRight")
    settled(page)
    assert on_screen(page, 0, 0)[0] == pytest.approx(before[0] - FRAME[0] / 10, abs=1)
    page.keyboard.press("0")
    arrived(page)
    assert scale_of(page) == pytest.approx(FITTED)


def test_tab_goes_through_the_boxes_in_the_order_of_their_numbers(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND, TEXT, CORNER]))
    names = []
    for _ in range(4):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.ariaLabel"))
    assert names == ["Image with its boxes", "Box 1: hand with six fingers", "Box 2: melted text", "Box 3: extra leg"]


def test_keys_that_are_acted_on_go_no_further_and_others_do(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    page.evaluate("(window.keys = [], document.addEventListener('keydown', ({key}) => window.keys.push(key)))")
    call(page, "v.select(1, {focus: true})")
    for key in ("a", "1", "Enter", "ArrowRight", "Enter", "Escape", "Escape", "Delete"):
        page.keyboard.press(key)
    assert page.evaluate("window.keys") == ["a", "1", "Escape"]


# Selecting, hovering, judging


def test_a_click_takes_the_smaller_box_and_a_second_one_what_lies_below(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT, HAND]))
    at = on_screen(page, 900, 700)
    page.mouse.click(*at)
    assert call(page, "v.selected") == "2"
    page.mouse.click(*at)
    assert call(page, "v.selected") == "1"
    page.mouse.click(*on_screen(page, 3000, 2500))
    assert call(page, "v.selected") is None
    assert [detail["key"] for detail in told(page, "box-select")] == ["2", "1", None]


def test_a_speck_can_be_hit_beside_it_and_dragged_by_its_middle(room: Room, page: Page) -> None:
    room.show(page, viewer([SPECK]))
    x, y = on_screen(page, 2503, 502)
    page.mouse.click(x + 9, y + 9)
    assert call(page, "v.selected") == "4"
    drag(page, (x, y), (20, 20))
    assert close(call(page, "v.judgements()[0].box"), [2605, 605, 2611, 609], by=3)


def test_pressing_space_selects_and_a_press_by_assistive_technology_too(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    page.locator(".viewer-box").focus()
    page.keyboard.press(" ")
    assert page.locator(".viewer-box").get_attribute("aria-pressed") == "true"
    page.locator(".viewer-box").evaluate("box => box.click()")
    assert page.locator(".viewer-box").get_attribute("aria-pressed") == "false"


def test_a_drag_on_the_picture_pans_and_selects_nothing(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    page.mouse.move(500, 400)
    page.mouse.wheel(0, -600)
    settled(page)
    before = on_screen(page, 0, 0)
    drag(page, (500, 400), (50, 40))
    settled(page)
    assert on_screen(page, 0, 0) == pytest.approx((before[0] + 50, before[1] + 40), abs=1)
    assert call(page, "v.selected") is None


def test_space_and_the_middle_button_pan_over_a_selected_box(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT]))
    call(page, "(v.select(2, {focus: true}), v.focusBox(2))")
    arrived(page)
    before = on_screen(page, 0, 0)
    page.keyboard.down(" ")
    drag(page, (520, 400), (50, 40))
    page.keyboard.up(" ")
    drag(page, (520, 400), (10, 10), button="middle")
    settled(page)
    assert on_screen(page, 0, 0) == pytest.approx((before[0] + 60, before[1] + 50), abs=1)
    assert call(page, "[v.selected, v.judgements()]") == ["2", []]


def test_hovering_is_told_once_and_highlighting_is_not(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND, TEXT]))
    for x, y in ((500, 400), (550, 450), (900, 700), (3000, 2500)):
        page.mouse.move(*on_screen(page, x, y))
    assert [detail["position"] for detail in told(page, "box-hover")] == [1, 2, None]
    call(page, "v.highlight(2)")
    assert page.locator(".highlighted").get_attribute("data-key") == "2"
    assert len(told(page, "box-hover")) == 3


def test_judgements_are_what_the_api_takes(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND, TEXT, CORNER, SPECK]))
    call(page, "(v.judge('1', 'accept'), v.judge(3, 'reject'), v.select(2))")
    drag(page, on_screen(page, 900, 700), (100, 0))
    call(page, "v.startAdding()")
    drag(page, on_screen(page, 2000, 2000), (50, 50))
    given = call(page, "v.judgements()")
    assert [(one["kind"], one.get("position"), "box" in one) for one in given] == [
        ("accept", 1, False), ("move", 2, True), ("reject", 3, False), ("add", None, True),
    ]  # fmt: skip
    assert all(isinstance(side, int) for one in given for side in one.get("box", []))
    assert page.locator(".viewer-badge").all_inner_texts() == ["1 ✓", "2 ↔", "3 ✕", "4", "+1"]
    assert page.get_by_role("button", name="Box 3: extra leg, rejected").count() == 1
    room.show(page, viewer([HAND, TEXT, CORNER, SPECK]))
    page.evaluate("given => document.querySelector('zoom-image').applyJudgements(given)", given)
    assert call(page, "v.judgements()") == given, "a draft that was kept comes back"


def test_a_judgement_can_be_changed_taken_back_and_undone(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND]))
    call(page, "(v.judge(1, 'accept'), v.judge(1, 'reject'))")
    assert call(page, "v.judgements()") == [{"kind": "reject", "position": 1}]
    call(page, "v.undoEdit()")
    assert call(page, "v.judgements()") == [{"kind": "accept", "position": 1}]
    call(page, "v.judge(1, null)")
    assert call(page, "v.judgements()") == []
    assert call(page, "[v.undoEdit(), v.undoEdit(), v.undoEdit()]") == [True, True, False]


def test_undo_brings_a_removed_box_back(room: Room, page: Page) -> None:
    room.show(page, viewer([]))
    call(page, "v.startAdding()")
    drag(page, on_screen(page, 2000, 2000), (50, 50))
    before = call(page, "v.judgements()")
    page.keyboard.press("Delete")
    call(page, "v.undoEdit()")
    assert call(page, "v.judgements()") == before
    call(page, "v.undoEdit()")
    assert call(page, "v.judgements()") == []


# Touch


def test_two_fingers_zoom_and_one_pans(room: Room, browser: Browser) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 1060, "height": 760})
    page = context.new_page()
    room.show(page, viewer([HAND]))
    touch = context.new_cdp_session(page)

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        touch.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]}
        )

    fingers("touchStart", (450, 400))
    fingers("touchStart", (450, 400), (550, 400))
    fingers("touchMove", (350, 400), (650, 400))
    settled(page)
    assert scale_of(page) == pytest.approx(FITTED * 3, rel=0.02)
    fingers("touchEnd", (350, 400))
    before = on_screen(page, 0, 0)
    fingers("touchEnd")
    fingers("touchStart", (450, 400))
    fingers("touchMove", (470, 410))
    fingers("touchMove", (500, 420))
    fingers("touchEnd")
    settled(page)
    assert on_screen(page, 0, 0) == pytest.approx((before[0] + 50, before[1] + 20), abs=1.5)
    call(page, "v.fit()")
    arrived(page)
    page.touchscreen.tap(*on_screen(page, 700, 600))
    assert call(page, "v.selected") == "1"
    context.close()


# What may not be shown, or cannot be


def test_a_missing_image_says_why_and_keeps_its_boxes(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND], image="/gone.jpg"))
    assert page.locator(".viewer-missing p").inner_text() == "The image is no longer kept: it was erased."
    assert told(page, "image-missing") == [{"reason": "The image is no longer kept: it was erased."}]
    ground, box = page.locator(".viewer-ground").bounding_box(), page.locator(".viewer-box").bounding_box()
    assert ground is not None
    assert box is not None
    assert ground["width"] / ground["height"] == pytest.approx(ORIGINAL[0] / ORIGINAL[1], rel=0.01)
    assert (box["x"] - ground["x"]) / FITTED == pytest.approx(400, abs=1 / FITTED)
    assert page.get_by_role("button", name="Try again").count() == 0, "it stays gone"
    assert call(page, "v.exposureSeconds") == 0


def test_an_image_that_failed_once_is_shown_when_tried_again(room: Room, page: Page) -> None:
    room.put("/late.jpg", "text/plain", b"", status=503)
    room.show(page, viewer([HAND], image="/late.jpg"))
    assert page.locator(".viewer-missing p").inner_text() == "The image could not be loaded."
    room.files["/late.jpg"] = room.files["/picture.jpg"]
    page.get_by_role("button", name="Try again").click()
    until(page, "document.querySelector('zoom-image').exposureSeconds > 0")
    assert page.locator(".viewer-missing, .viewer-ground").count() == 0
    assert scale_of(page) == pytest.approx(FITTED)


def visible_detail(page: Page) -> float:
    """How much neighbouring pixels of the shown picture differ, its boxes hidden."""
    call(page, "v.setAttribute('hide-boxes', '')")
    settled(page)
    with Image.open(io.BytesIO(page.locator("zoom-image").screenshot())) as seen:
        grey = seen.convert("L").crop((300, 100, 700, 400))
    return float(ImageStat.Stat(ImageChops.difference(grey, ImageChops.offset(grey, 1, 0)).crop((1, 0, 400, 300))).mean[0])


def test_a_blurred_picture_shows_while_held_and_by_key_and_only_then_counts(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND], attributes="blur"))
    blurred = visible_detail(page)
    assert call(page, "v.exposureSeconds") == 0
    page.mouse.move(300, 300)
    page.mouse.down()
    until(page, "document.querySelector('zoom-image').exposureSeconds > 0.05")
    assert visible_detail(page) > 2 * blurred
    page.mouse.up()
    assert visible_detail(page) == blurred
    page.locator("zoom-image").focus()
    page.keyboard.press("v")
    assert visible_detail(page) > 2 * blurred
    page.keyboard.press("v")
    assert visible_detail(page) == blurred
    starts, ends = told(page, "exposure-start"), told(page, "exposure-end")
    assert (len(starts), len(ends)) == (2, 2)
    assert call(page, "v.exposureSeconds") == ends[-1]["seconds"] > 0.05


def test_zooming_in_does_not_undo_the_blur(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT], attributes="blur"))
    blurred = visible_detail(page)
    call(page, "v.focusBox(2)")
    arrived(page)
    assert visible_detail(page) < blurred


def test_a_greyscale_picture_has_no_colour(room: Room, page: Page) -> None:
    room.show(page, viewer([], attributes="greyscale"))
    with Image.open(io.BytesIO(page.locator("zoom-image").screenshot())) as seen:
        colours = seen.convert("RGB").crop((300, 100, 700, 400)).split()
    assert max(ImageStat.Stat(ImageChops.difference(colours[0], colours[2])).extrema[0]) <= 2


def test_a_picture_behind_its_crops_is_not_seen_before_it_is_asked_for(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND], attributes="crop-first editable"))
    assert not page.locator("img").is_visible()
    assert not page.locator(".viewer-box").is_visible()
    assert call(page, "v.exposureSeconds") == 0
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("img").is_visible()
    assert told(page, "revealed") == [{}]
    until(page, "document.querySelector('zoom-image').exposureSeconds > 0")
    assert call(page, "document.activeElement === v")


def test_time_in_a_hidden_tab_does_not_count(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND], attributes=""))
    until(page, "window.told.some(([name]) => name === 'exposure-start')")
    page.evaluate(
        """() => {
        Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    [ended] = told(page, "exposure-end")
    assert call(page, "v.exposureSeconds") == ended["seconds"] > 0


def test_a_picture_that_waits_hidden_is_shown_without_another_request(room: Room, page: Page) -> None:
    room.picture("/next.jpg")
    room.show(page, f"<div class='away'>{viewer([HAND], image='/next.jpg')}</div>")
    assert call(page, "v.ready") is True
    assert call(page, "v.exposureSeconds") == 0
    painted = page.evaluate(
        """() => new Promise((done) => {
        document.querySelector('.away').className = '';
        requestAnimationFrame(() => requestAnimationFrame(() => done(document.querySelector('img').style.transform)));
        })"""
    )
    assert "scale(0.19" in painted
    until(page, "document.querySelector('zoom-image').exposureSeconds > 0")
    assert room.asked["/next.jpg"] == 1


# For everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("attributes", ["editable", "blur", "crop-first"])
def test_axe_finds_nothing_serious(room: Room, page: Page, scheme: Any, attributes: str) -> None:
    page.emulate_media(color_scheme=scheme)
    room.show(page, viewer([HAND, TEXT, SPECK], attributes=attributes))
    call(page, "(v.judge(1, 'accept'), v.judge(2, 'reject'), v.select(4))")
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


def test_nothing_glides_for_people_who_asked_for_less_motion(room: Room, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    room.show(page, viewer([HAND]))
    call(page, "v.focusBox(1)")
    settled(page)
    there = scale_of(page)
    arrived(page)
    assert scale_of(page) == there > FITTED


def test_lines_are_drawn_in_the_systems_colours_where_those_are_forced(room: Room, page: Page) -> None:
    page.emulate_media(forced_colors="active")
    room.show(page, viewer([HAND]))
    line = page.locator(".viewer-box").evaluate(
        "box => [getComputedStyle(box, '::before').borderTopColor, getComputedStyle(box, '::before').outlineStyle]"
    )
    assert line[1] == "solid"
    assert line[0] == page.evaluate("getComputedStyle(document.body).color")
