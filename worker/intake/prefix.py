"""An S3 prefix as rows: every object below it. What is not an image fails later, as an item of its own; nothing is left out."""

from collections.abc import Iterator

from worker.intake.rows import Row
from worker.intake.storage import Storage, address


def read_prefix(storage: Storage, bucket: str, prefix: str, *, line: int = 0, after: str = "") -> Iterator[Row]:
    """Rows in the store's order, numbered on from `line`, behind the key `after`. custom_id is the key without the prefix.

    Left out are only the empty objects ending in "/" that consoles make to show folders.
    """
    for listed in storage.list(bucket, prefix, after):
        if listed.size == 0 and listed.key.endswith("/"):
            continue
        line += 1
        yield Row(address(bucket, listed.key), listed.key.removeprefix(prefix) or None, line=line)
