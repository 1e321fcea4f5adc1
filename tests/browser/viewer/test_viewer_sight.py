"""Where boxes are seen: on their pixels, at any zoom, in any frame, by anybody."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.viewer.hands import (
    CORNER,
    FITTED,
    HAND,
    MARGIN,
    SPECK,
    TEXT,
    arrived,
    call,
    close,
    drag,
    on_screen,
    scale_of,
    seen,
    settled,
    shown,
)
from tests.browser.viewer.room import ORIGINAL, Room, viewer


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
        badge, handle = seen(page, ".viewer-badge"), seen(page, "[data-edges=se]")
        sizes.append((badge.height, handle.width, handle.height))
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
    badge, frame = seen(page, ".viewer-badge"), seen(page, "zoom-image")
    assert frame.x <= badge.x
    assert frame.y <= badge.y


def test_the_number_of_a_box_out_of_sight_is_out_of_sight(room: Room, page: Page) -> None:
    room.show(page, viewer([TEXT, CORNER]))
    call(page, "v.focusBox(2)")
    arrived(page)
    badge, frame = seen(page, "[data-key='3'] .viewer-badge"), seen(page, "zoom-image")
    assert badge.x >= frame.x + frame.width


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
