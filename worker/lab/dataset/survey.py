"""A first look at every photograph: whether it can be read, which pixels it has, what it looks like from afar."""

import asyncio
import hashlib
from dataclasses import dataclass

from PIL import Image

from worker.images.pool import DecodePool
from worker.lab.dataset.photographs import Photograph
from worker.lab.dataset.readings import Facts, facts_reply, pixels_reply, read_facts, read_pixels
from worker.moderation.boxes import Size
from worker.moderation.errors import RejectedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A photograph that can be read, and what is known of it."""

    photograph: Photograph
    file_sha256: str
    facts: Facts

    @property
    def name(self) -> str:
        """The photograph's."""
        return self.photograph.name


def look_at(photograph: Photograph, pool: DecodePool) -> Seen:
    """Reads and decodes it. Raises RejectedError for one that cannot be used, and what the store and the pool raise."""
    body = _body(photograph)
    facts = asyncio.run(pool.run(facts_reply, body, read=read_facts))
    return Seen(photograph=photograph, file_sha256=hashlib.sha256(body).hexdigest(), facts=facts)


def open_pixels(seen: Seen, size: Size, pool: DecodePool) -> Image.Image:
    """Its upright RGB pixels and nothing else, resized to `size`. Raises as `look_at`, and RejectedError when the file has changed."""
    body = _body(seen.photograph)
    if hashlib.sha256(body).hexdigest() != seen.file_sha256:
        raise RejectedError("photograph_changed", f"{seen.name} changed while the data was built. Build again, into another folder.")
    return asyncio.run(pool.run(pixels_reply, body, size, read=read_pixels))


def _body(photograph: Photograph) -> bytes:
    try:
        return photograph.read()
    except OSError as error:
        raise RejectedError("file_unreadable", f"The file could not be read: {error.strerror}.") from None
