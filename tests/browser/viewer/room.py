"""A bare page with one viewer, served as strictly as the real one, and the hands that tests need on it."""

import io
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page

STATIC = Path(__file__).parents[3] / "api" / "review_page" / "static"
SAMPLES = Path(__file__).parents[3] / "worker" / "local" / "samples"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'"  # the review page's
TYPES = {".js": "text/javascript", ".css": "text/css"}
ORIGINAL = (4000, 3000)  # pixels; what the model was sent is smaller
SENT = (1600, 1200)
FRAME = (1000, 600)  # CSS pixels: wider than the picture, so that it is letterboxed
GONE = {"type": "about:blank", "title": "Gone", "status": 404, "detail": "The image is no longer kept: it was erased."}
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --surface: #fff; --sunken: #eceff3; --line: #cfd6de; --accent: #1f5fbf; --ok: #1a7035; --bad: #b42318; --warn: #855a00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --surface: #171b21; --sunken: #0b0e12; --line: #303842; --accent: #79b0ff; --ok: #5cc877; --bad: #ff8a80; --warn: #e6b84a } }
body { margin: 20px; background: var(--sunken) } .away { display: none } .small zoom-image { width: 500px; height: 500px }
zoom-image { width: 1000px; height: 600px }
"""  # noqa: E501
SCRIPT = """
import "/static/viewer.js";
window.told = [];
window.refused = [];
for (const name of ["box-hover", "box-select", "boxes-change", "revealed", "image-missing", "exposure-start", "exposure-end"]) {
  document.addEventListener(name, ({ detail }) => window.told.push([name, detail]));
}
document.addEventListener("securitypolicyviolation", (event) => window.refused.push(event.violatedDirective));
"""


@dataclass
class Room:
    """Where the page is served. `asked` counts requests by path."""

    address: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    files: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)

    def put(self, path: str, kind: str, body: bytes, status: int = 200) -> None:
        """From now on this is answered there."""
        self.files[path] = (status, kind, body)

    def picture(self, path: str, name: str = "astronaut", size: tuple[int, int] = SENT) -> None:
        """A sample image, in the size that the model was sent."""
        kept = io.BytesIO()
        with Image.open(SAMPLES / f"{name}.jpg") as image:
            image.resize(size).save(kept, "JPEG")
        self.put(path, "image/jpeg", kept.getvalue())

    def show(self, page: Page, viewer: str) -> None:
        """Opens a page with this markup and waits until the picture is there, or known to be missing."""
        markup = f'<main><h1>Viewer</h1>{viewer}<p id="below">Below</p></main>'
        styles = "".join(f'<link rel="stylesheet" href="{path}">' for path in ("/page.css", "/static/viewer.css"))
        head = f'{styles}<script type="module" src="/page.js"></script>'
        self.put(
            "/",
            "text/html",
            f'<!doctype html><html lang="en"><head><title>Viewer</title>{head}</head><body>{markup}</body></html>'.encode(),
        )
        page.goto(self.address)
        page.evaluate("customElements.whenDefined('zoom-image').then(() => document.querySelector('zoom-image').ready)")


def viewer(
    boxes: list[Mapping[str, Any]], attributes: str = "editable", image: str = "/picture.jpg", size: tuple[int, int] = ORIGINAL
) -> str:
    """The markup that pages give."""
    width, height = size
    data = json.dumps(boxes).replace("<", "\\u003c")
    return (
        f'<zoom-image width="{width}" height="{height}" {attributes}><img src="{image}" alt="The image in question">'
        f'<script type="application/json" class="boxes">{data}</script></zoom-image>'
    )


@contextmanager
def serving() -> Iterator[Room]:
    """A room on a loopback port."""
    room = Room()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            room.asked[path] += 1
            static = STATIC / path.removeprefix("/static/")
            if path.startswith("/static/") and static.is_file():
                answer = (200, TYPES[static.suffix], static.read_bytes())
            else:
                answer = room.files.get(path, (404, "application/problem+json", json.dumps(GONE).encode()))
            status, kind, body = answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    room.put("/page.css", "text/css", STYLE.encode())
    room.put("/page.js", "text/javascript", SCRIPT.encode())
    room.put("/favicon.ico", "image/x-icon", b"")
    room.picture("/picture.jpg")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    room.address = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield room
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
