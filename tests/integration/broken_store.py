"""An object store that breaks as it is told: it plays one scripted answer per connection, then drops the connection."""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

Answer = Callable[[socket.socket], None]


def answer(status: str, body: bytes = b"", *, etag: str = "one", length: int | None = None, extra: str = "") -> Answer:
    """A whole answer; `length` may lie about the body's."""

    def play(client: socket.socket) -> None:
        declared = len(body) if length is None else length
        client.sendall(f'HTTP/1.1 {status}\r\nContent-Length: {declared}\r\nETag: "{etag}"\r\n{extra}\r\n'.encode() + body)

    return play


def drip(byte_count: int, *, seconds_between: float) -> Answer:
    """A body that comes byte by byte."""

    def play(client: socket.socket) -> None:
        client.sendall(f'HTTP/1.1 200 OK\r\nContent-Length: {byte_count}\r\nETag: "one"\r\n\r\n'.encode())
        for _ in range(byte_count):
            client.sendall(b"x")
            time.sleep(seconds_between)

    return play


class BrokenStore:
    """Context manager; after the script every further connection gets the last answer again. `requests` are the heads received."""

    def __init__(self, *script: Answer) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.requests: list[str] = []

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=1)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                head = b""
                while b"\r\n\r\n" not in head and (more := client.recv(65536)):
                    head += more
                play = self._script[min(len(self.requests), len(self._script) - 1)]
                self.requests.append(head.decode())
                try:
                    play(client)
                except OSError:
                    continue  # the caller hung up
