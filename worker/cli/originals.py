"""The originals of judged images, for drawing on. They are as untrusted as ever: a confined child decodes them."""

import asyncio
import hashlib

from PIL import Image

from worker.images.decode import decode
from worker.images.fetch import ObjectReader
from worker.images.pool import DecodePool
from worker.images.reply import Reply
from worker.moderation.errors import RejectedError
from worker.moderation.settings import Settings
from worker.store.results import ItemResult


def read_original(result: ItemResult, pool: DecodePool, storage: ObjectReader, settings: Settings) -> Image.Image:
    """The upright RGB pixels that were judged. Raises RejectedError, also when the object changed; TransientError, MisconfiguredError."""
    stored = storage.get(
        result.bucket,
        result.key,
        result.version_id,
        max_bytes=settings.fetch_max_bytes,
        timeout_seconds=settings.fetch_timeout_seconds,
    )
    if hashlib.sha256(stored.body).hexdigest() != result.image_sha256:
        raise RejectedError("object_changed", f"{result.source} is no longer the image that was judged.")
    return asyncio.run(pool.run(upright_reply, stored.body, read=read_upright))


def upright_reply(body: bytes) -> Reply:
    """The whole original, packed. In the child."""
    pixels = decode(body).pixels
    return Reply({"size": list(pixels.size)}, (pixels.tobytes(),))


def read_upright(reply: Reply) -> Image.Image:
    """The image of an `upright_reply`. Raises ValueError, KeyError or TypeError when it makes no sense."""
    width, height = reply.facts["size"]
    return Image.frombytes("RGB", (int(width), int(height)), reply.buffers[0])
