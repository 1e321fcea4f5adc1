"""Maps as raw arrays in one file: numpy's npz, the same bytes for the same maps.

`<target>/<k>`  float32, rows × columns: the mass of each token of the conversation's k-th image; all of a target's arrays sum to 1.
`index`         a JSON text: per target its stage, kind, number, text, share of relevance on images, and per image its sha256 and `shows`,
                the part [x0, y0, x1, y1) of the original (oriented pixels) that the array's cells divide evenly.
"""

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from worker.forensics.maps import AttentionMap
from worker.forensics.recorded import RecordedVerdict


def arrays_npz(maps: Sequence[AttentionMap], recorded: RecordedVerdict) -> bytes:
    """The file's bytes."""
    arrays: dict[str, Any] = {f"{attention.target.name}/{k}": image.mass for attention in maps for k, image in enumerate(attention.images)}
    index = {
        "release": recorded.release.id,
        "size": [recorded.size.width, recorded.size.height],
        "targets": {attention.target.name: _described(attention) for attention in maps},
    }
    body = io.BytesIO()
    np.savez_compressed(body, index=np.array(json.dumps(index, sort_keys=True)), **arrays)
    return body.getvalue()


def _described(attention: AttentionMap) -> dict[str, Any]:
    return {
        "stage": attention.target.stage.value,
        "kind": attention.target.kind.value,
        "number": attention.target.number,
        "text": attention.target.text,
        "on_images": round(attention.on_images, 6),
        "images": [{"sha256": image.sha256, "shows": list(image.shows.corners())} for image in attention.images],
    }
