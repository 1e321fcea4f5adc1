"""Boxes are moved, resized, added by mouse: what comes of it in original pixels."""

import re

import pytest
from playwright.sync_api import Page

from tests.browser.viewer.hands import CORNER, FITTED, HAND, TEXT, arrived, call, close, drag, on_screen, scale_of, seen, shown, told
from tests.browser.viewer.room import Room, viewer


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
    handle = seen(page, f"[data-edges={edges}]")
    drag(page, (handle.x + 4, handle.y + 20), (100 * FITTED, 100 * FITTED))
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
    handle = seen(page, "[data-edges=se]")
    drag(page, (handle.x + 12, handle.y + 12), (-60, -60))
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
