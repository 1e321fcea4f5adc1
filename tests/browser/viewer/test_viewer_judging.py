"""Boxes are selected, hovered, judged, by mouse and touch, and the page is told."""

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.viewer.hands import (
    CORNER,
    FITTED,
    HAND,
    SPECK,
    TEXT,
    arrived,
    call,
    close,
    drag,
    on_screen,
    scale_of,
    settled,
    told,
    until,
)
from tests.browser.viewer.room import Room, viewer


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
    until(page, "document.querySelector('zoom-image').selected === '1'")  # a touch's click comes after the touch has been answered
    context.close()
