"""Which photographs are the same, or nearly: by their pixels, and by a difference hash that survives re-encoding and shrinking.

Crops and mirror images of a photograph are beyond the hash. Without numpy, since confined children import this: its threads take more
address space than they may have.
"""

from functools import cache
from importlib.resources import files
from itertools import pairwise

from PIL import Image

from worker.images.decode import decode

HASH_SIDE = 8  # rows, and comparisons in each: 64 bits
NEAR_BITS = 6  # halving and JPEG 40 turn 4 bits or fewer in 99 of 100 photographs; no two of 1,000 unrelated ones were within 8

# sha256 of the files that the demo's pictures were made of (worker/local/samples/PROVENANCE.md): they are shown, never learnt from.
DEMO_SOURCES = frozenset(
    {
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",  # astronaut
        "09772d09318b34a5c5edd58ee86ff462bcd2907006f31cc8e0704310f8e9ab60",  # bridge
        "0cbd7154a14789803167c86705130d0358875198231269df168ea26224e70848",  # citrus
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",  # coffee
        "a5634d1ab5e41a3568e92d4a894a500c92b891f9ff734e50bd224d6e185a605f",  # dandelion
        "9d54ae706bddd899c91b2b801d9ca4556a5a9a399b4043f9d539df62a8cb7f27",  # honey-bee
    }
)


def difference_hash(image: Image.Image) -> int:
    """HASH_SIDE² bits: whether each pixel of a tiny grey copy is brighter than its left neighbour."""
    tiny = image.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX).tobytes()
    rows = (tiny[start : start + HASH_SIDE + 1] for start in range(0, len(tiny), HASH_SIDE + 1))
    return int("".join(str(int(right > left)) for row in rows for left, right in pairwise(row)), 2)


def is_near(first: int, second: int) -> bool:
    """Whether two hashes are those of copies."""
    return (first ^ second).bit_count() <= NEAR_BITS


@cache
def demo_hashes() -> tuple[int, ...]:
    """Hashes of the pictures that the demo ships."""
    shipped = (files("worker.local") / "samples").iterdir()
    return tuple(difference_hash(decode(picture.read_bytes()).pixels) for picture in shipped if picture.name.endswith(".jpg"))
