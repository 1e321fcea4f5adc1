"""A receiver of ZoomIn's webhooks, with nothing but Python: `python webhook_receiver.py whsec_… [PORT]`, behind a proxy that ends TLS."""

import base64, hmac, json, sys, time  # noqa: E401, I001
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET, PORT = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8000
seen: set[str] = set()  # a real receiver keeps ids in its database, in the transaction that acts on them


def verified(headers, body: bytes) -> dict | None:
    """The event, if it is signed by our secret and fresh; None for a forgery, a replay, or one that was handled before."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
        return None
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    ours = "v1," + base64.b64encode(digest).decode()
    if not any(hmac.compare_digest(ours.encode(), theirs.encode()) for theirs in headers.get("webhook-signature", "").split()):
        return None
    return json.loads(body)


class Receiver(BaseHTTPRequestHandler):
    """Answers at once; slow work belongs into a queue."""

    def do_POST(self) -> None:
        """204: accepted (a repetition, too); 401: not from ZoomIn."""
        event = verified(self.headers, self.rfile.read(min(int(self.headers.get("content-length", 0)), 65536)))
        if event is not None and self.headers["webhook-id"] not in seen:
            seen.add(self.headers["webhook-id"])
            print(event["type"], json.dumps(event["data"]), flush=True)  # noqa: T201
        self.send_response(401 if event is None else 204)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
