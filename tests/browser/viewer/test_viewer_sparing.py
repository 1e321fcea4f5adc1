"""What a person does not want to see, or cannot: blurred, behind its crops, gone; and how long it was looked at."""

import io

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Page

from tests.browser.viewer.hands import (
    FITTED,
    HAND,
    TEXT,
    arrived,
    call,
    scale_of,
    seen,
    settled,
    told,
    until,
)
from tests.browser.viewer.room import ORIGINAL, Room, viewer


def test_a_missing_image_says_why_and_keeps_its_boxes(room: Room, page: Page) -> None:
    room.show(page, viewer([HAND], image="/gone.jpg"))
    assert page.locator(".viewer-missing p").inner_text() == "The image is no longer kept: it was erased."
    assert told(page, "image-missing") == [{"reason": "The image is no longer kept: it was erased."}]
    ground, box = seen(page, ".viewer-ground"), seen(page, ".viewer-box")
    assert ground.width / ground.height == pytest.approx(ORIGINAL[0] / ORIGINAL[1], rel=0.01)
    assert (box.x - ground.x) / FITTED == pytest.approx(400, abs=1 / FITTED)
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
    with Image.open(io.BytesIO(page.locator("zoom-image").screenshot())) as picture:
        grey = picture.convert("L").crop((300, 100, 700, 400))
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
    with Image.open(io.BytesIO(page.locator("zoom-image").screenshot())) as picture:
        colours = picture.convert("RGB").crop((300, 100, 700, 400)).split()
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
