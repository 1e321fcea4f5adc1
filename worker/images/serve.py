"""The life of a decode child."""

import base64
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from worker.images.confine import ChildLimits, allow_cpu, confine
from worker.images.crossing import scan_reply
from worker.images.reply import Reply, send_failure, send_rejection, send_reply
from worker.images.resize import PixelLimits
from worker.moderation.errors import RejectedError

WARM_UP_IMAGE = base64.b64decode(  # a grey 28×28 PNG of our own
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAIAAAD9b0jDAAAAJ0lEQVR4nGNsaGhgoDZgorqJo4aOGjpq6Kiho4aOGjpq6Kihg9JQAP1uAbgMpB0oAAAAAElFTkSuQmCC"
)


def serve(pipe: Connection, limits: ChildLimits, parent: int) -> None:
    """Warms up, confines itself, says ready, and answers until the pipe closes."""
    # Decoding once loads every library it needs while files can still be opened; a broken Pillow shows here, not in an image.
    scan_reply(WARM_UP_IMAGE, PixelLimits(factor=28, min_pixels=28 * 28, max_pixels=28 * 28))
    send_reply(pipe, Reply({"network_isolated": confine(limits, parent)}))
    while True:
        try:
            work, arguments = pipe.recv()
        except EOFError:
            return
        allow_cpu(limits.cpu_seconds)
        _answer(pipe, work, arguments)


def _answer(pipe: Connection, work: Callable[..., Reply], arguments: tuple[Any, ...]) -> None:
    try:
        reply = work(*arguments)
    except RejectedError as error:
        send_rejection(pipe, error)
    except MemoryError:
        message = "Decoding the image takes more memory than one image may have. Send a smaller one."
        send_rejection(pipe, RejectedError("image_kills_decoder", message))
    except Exception as error:  # noqa: BLE001  a fault of ours, told to the owner; the child lives on
        send_failure(pipe, error)
    else:
        send_reply(pipe, reply)
