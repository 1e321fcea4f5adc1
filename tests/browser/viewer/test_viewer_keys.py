"""Everything is done by keyboard alone."""

import pytest
from playwright.sync_api import Page

from tests.browser.viewer.hands import CORNER, FITTED, HAND, TEXT, arrived, call, close, on_screen, scale_of, seen, settled, shown
from tests.browser.viewer.room import FRAME, Room, viewer


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


def test_a_box_out_of_sight_comes_into_view_with_the_focus(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT, CORNER]))
    page.keyboard.press("Tab")
    call(page, "v.focusBox(2)")
    arrived(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    arrived(page)
    frame, box = seen(page, "zoom-image"), seen(page, "[data-key='3']")
    assert frame.x < box.x
    assert box.x + box.width < frame.x + frame.width
    assert box.y + box.height < frame.y + frame.height
    assert call(page, "[v.scrollLeft, v.scrollTop, window.scrollX, window.scrollY]") == [0, 0, 0, 0]


def test_a_box_that_is_moved_by_keyboard_stays_in_view(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT]))
    call(page, "(v.focusBox(2), v.startEditing(2))")
    arrived(page)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    arrived(page)
    frame, box = seen(page, "zoom-image"), seen(page, "[data-key='2']")
    assert box.x + box.width < frame.x + frame.width
    page.keyboard.press("Enter")
    assert call(page, "v.judgements()") == [{"kind": "move", "position": 2, "box": [1500, 500, 1900, 900]}]
