"""What is seen of a page: axe's judgement on it, and pictures of its main states."""

import io
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops
from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parent / "screenshots"
GRAVE = frozenset({"serious", "critical"})
COLOURS = 256  # of a stored picture: a third of the bytes
SAME = 0.001  # at most this share of pixels differs between pictures that show the same: a number, an id
A_MOMENT = "27 Nov 2026, 09:30"  # what all times say, so that the same page is the same picture on any day
SCHEMES = ("light", "dark")


def check_accessible(page: Page) -> None:
    """Fails on any serious or critical violation in light or in dark, naming rules and elements."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a Literal, as the tuple has them
        found += [f"{scheme}: {one}" for one in _violations(page)]
    page.emulate_media(color_scheme="null")
    assert not found, f"axe, at {page.url}:\n" + "\n".join(found)


def _violations(page: Page) -> list[str]:
    # evaluated through the debugger's protocol: a script element of ours would be refused by the page's policy
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [_told(violation) for violation in violations if violation["impact"] in GRAVE]


def _told(violation: dict[str, Any]) -> str:
    nodes = [
        f"    {' '.join(map(str, node['target']))}: {node['html'][:160]}\n      {node['failureSummary']}" for node in violation["nodes"]
    ]
    return "\n".join([f"{violation['impact']} {violation['id']}: {violation['help']}", *nodes])


def screenshot(page: Page, name: str) -> None:
    """Writes `screenshots/NAME.png`, unless the one that is there shows the same."""
    page.evaluate("(moment) => { for (const time of document.querySelectorAll('time')) time.textContent = moment }", A_MOMENT)
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide"))).convert("RGB")
    path = SCREENSHOTS / f"{name}.png"
    stored = taken.quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    if not path.exists() or _differs(Image.open(path).convert("RGB"), stored.convert("RGB")):
        SCREENSHOTS.mkdir(exist_ok=True)
        stored.save(path, optimize=True)


def _differs(before: Image.Image, after: Image.Image) -> bool:
    if before.size != after.size:
        return True
    changed = ImageChops.difference(before, after).convert("L").point(lambda value: 255 if value > 24 else 0)
    return changed.histogram()[255] / (after.width * after.height) > SAME
