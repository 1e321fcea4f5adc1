"""What tests do to a viewer, and how they see what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.browser.viewer.room import FRAME, ORIGINAL

HAND: Mapping[str, Any] = {"position": 1, "box": [400, 300, 1600, 1500], "label": "hand with six fingers"}
TEXT: Mapping[str, Any] = {"position": 2, "box": [700, 500, 1100, 900], "label": "melted text"}  # inside the hand
CORNER: Mapping[str, Any] = {"position": 3, "box": [3400, 2400, 4000, 3000], "label": "extra leg"}
SPECK: Mapping[str, Any] = {"position": 4, "box": [2500, 500, 2506, 504], "label": "speck"}
MARGIN = 14  # around a fitted picture, as in viewer/camera.js
FITTED = (FRAME[1] - 2 * MARGIN) / ORIGINAL[1]  # CSS pixels for each of the original's: the height decides


@dataclass(frozen=True, slots=True)
class Rect:
    """In CSS pixels."""

    x: float
    y: float
    width: float
    height: float


def call(page: Page, script: str) -> Any:
    """`v` is the viewer."""
    return page.evaluate(f"() => {{ const v = document.querySelector('zoom-image'); return {script} }}")


def seen(page: Page, selector: str) -> Rect:
    """Where an element is in the window. Asked of the page itself: Playwright's own way waits for frames that are not needed."""
    at = page.evaluate("selector => document.querySelector(selector).getBoundingClientRect().toJSON()", selector)
    return Rect(at["x"], at["y"], at["width"], at["height"])


def shown(page: Page, box: str, scale: float = FITTED) -> list[int]:
    """Where the box is seen, in original pixels from the picture's corner as it is seen."""
    at, picture = seen(page, f".viewer-box[data-key='{box}']"), seen(page, "zoom-image img")
    left, top = (at.x - picture.x) / scale, (at.y - picture.y) / scale
    return [round(side) for side in (left, top, left + at.width / scale, top + at.height / scale)]


def scale_of(page: Page) -> float:
    """CSS pixels for each of the original's."""
    return seen(page, "zoom-image img").width / ORIGINAL[0]


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where an original pixel is seen, in the window."""
    picture = seen(page, "zoom-image img")
    scale = picture.width / ORIGINAL[0]
    return picture.x + x * scale, picture.y + y * scale


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
    """A jump is over: the picture rests, and is drawn sharp. It begins with the next frame, so that is waited for first."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    until(page, "!document.querySelector('zoom-image').classList.contains('moving')")


def until(page: Page, condition: str) -> None:
    """Waits by the page's own frames: the policy forbids what Playwright's waiting is made of."""
    page.evaluate(f"() => new Promise((done) => {{ const look = () => ({condition}) ? done() : requestAnimationFrame(look); look(); }})")


def close(found: list[int], expected: list[float], by: float) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, expected, strict=True))
