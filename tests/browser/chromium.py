"""`python -m tests.browser.chromium`: sees to it that there is a Chromium for the tests; `make test` and `make browser` run it first.

The machine's own comes first; where there is none, apt's when we are root, else the one that Playwright brings. When all three fail, it
says what to do and exits 1: a missing browser fails the tests, and never skips them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
APT = ("apt-get", "-qq", "-y", "--no-install-recommends", "install", "chromium", "fonts-dejavu-core")  # the font has Hebrew and Arabic, too
PLAYWRIGHT = (sys.executable, "-m", "playwright")
ANSWER_SECONDS = 60
HELP = """There is no Chromium for the browser tests, and none could be installed. Any one of these helps:
  - as root, on Debian or its like:   apt-get install chromium
  - Playwright's own, as any user:    {python} -m playwright install chromium
    and what it needs, as root:       {python} -m playwright install-deps chromium
  - any Chromium or Chrome on PATH, named {names}.
"""


class ChromiumMissingError(Exception):
    """No Chromium starts on this machine. The message says what to do."""


def chromium() -> Path:
    """The first browser that starts: of the machine, or Playwright's own. Raises ChromiumMissingError."""
    for path in _candidates():
        if _starts(path):
            return path
    raise ChromiumMissingError(HELP.format(python=sys.executable, names=", ".join(NAMES)))


@contextmanager
def running() -> Iterator[Browser]:
    """The browser, until the end of the block. As root it starts without its sandbox only."""
    executable = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


def install() -> Path:
    """The browser, installed when there is none. Raises ChromiumMissingError."""
    ways: tuple[Callable[[], None], ...] = (_by_apt, _by_playwright)
    for way in ways:
        try:
            return chromium()
        except ChromiumMissingError:
            way()
    return chromium()


def _candidates() -> Iterator[Path]:
    yield from (Path(found) for name in NAMES if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    yield own


def _starts(path: Path) -> bool:
    """Whether it answers: some systems put a stub in its place that only says where to get one."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=ANSWER_SECONDS, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _by_apt() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _say("No Chromium was found: installing Debian's, by apt-get.")
        _run("apt-get", "-qq", "update")
        _run(*APT)


def _by_playwright() -> None:
    _say("No Chromium was found: installing the one that Playwright brings.")
    _run(*PLAYWRIGHT, "install", "chromium")


def _run(*command: str) -> None:
    """Runs it; a failure shows its own words, and the next way is tried."""
    done = subprocess.run(
        command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        _say(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    try:
        install()
    except ChromiumMissingError as missing:
        sys.exit(str(missing))
