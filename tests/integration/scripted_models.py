"""An OpenAI-compatible server of scripted models: one explains, one grounds. It cannot see: plumbing only.

`python -m tests.integration.scripted_models` serves on a free port, for trying `zoomin dataset annotate` without any model.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EXPLAINER, GROUNDER = "scripted-explainer", "scripted-qwen2.5-vl"
CLUES = (
    {"where": "left hand", "what": "It has six fingers."},
    {"where": "street sign", "what": "The letters melt into each other."},
    {"where": "window frame", "what": "The bars end in the air."},
)
SIZE = re.compile(r"picture of (\d+)×(\d+) pixels")

# Called with each request's body before it is answered; may wait, or return a status, headers and a text to answer with instead.
Before = Callable[[Any], tuple[int, dict[str, str], str] | None]


class ScriptedModels:
    """Answers like an endpoint, and counts what it was asked."""

    def __init__(self, before: Before = lambda _: None) -> None:
        self.before = before
        self.answered: Counter[str] = Counter()  # explanations, by request
        self.asked = 0

    def reply(self, body: Any) -> str:
        """What the model that `body` names says."""
        if body["model"] == EXPLAINER:
            first = body["seed"] == 1
            return json.dumps({"explanation": "Scripted.", "clues": CLUES if first else CLUES[:2]})
        text = body["messages"][1]["content"][1]["text"]
        (found,) = SIZE.findall(text)
        width, height = map(int, found)
        if "main subject" in text:
            return json.dumps({"regions": [{"bbox_2d": [0, 0, width, height]}]})
        left = width // 8 if "left hand" in text else width // 2
        return json.dumps({"regions": [{"bbox_2d": [left, height // 4, left + width // 4, height // 2]}]})

    def completion(self, body: Any) -> dict[str, Any]:
        """As such endpoints wrap it."""
        message = {"role": "assistant", "content": self.reply(body)}
        return {
            "choices": [{"message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
        }


@contextmanager
def serving(models: ScriptedModels) -> Iterator[str]:
    """The models on a port of their own: the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            body = json.loads(raw)
            explains = body["model"] == EXPLAINER
            models.asked += explains
            status, headers, text = models.before(body) or (200, {}, json.dumps(models.completion(body)))
            try:
                self._answer(status, headers, text.encode())
            except OSError:
                return  # the client is gone
            if explains and status == 200:
                models.answered[raw.decode()] += 1

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the library's name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    with serving(ScriptedModels()) as url:
        print(f"--explainer {url} --explainer-model {EXPLAINER} --grounder openai:{GROUNDER}@{url}")  # noqa: T201
        threading.Event().wait()
