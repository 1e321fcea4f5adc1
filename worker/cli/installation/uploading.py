"""Sources as the API can read them. It takes no uploads: what is on this machine's disk goes to S3 first, with the caller's own access."""

import gzip
import hashlib
import json
from pathlib import Path

from worker.cli.terminal import say
from worker.intake.folder import find_images, upload_folder
from worker.intake.manifest import SOURCE_REF, manifest_format
from worker.intake.reference import MANIFESTS, UPLOADS
from worker.intake.rows import RowError
from worker.intake.storage import Storage, address
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.settings import Settings
from worker.moderation.text import clean

MEDIA_TYPE = "application/octet-stream"


def reachable(source: str, settings: Settings, key: str) -> str:
    """The s3:// address of the source, uploaded if need be: the same `key` uploads to the same place. Raises as an intake."""
    if "://" in source:
        return source
    path = Path(source).expanduser()
    if not path.exists():
        raise RejectedError("source_missing", f"There is no file or folder {source}.")
    if settings.s3_endpoint is None:
        raise MisconfiguredError(
            "uploads_need_s3",
            f"{source} is on this machine, and the API takes no uploads. Put it into a bucket that the installation may read, and scan its "
            "s3:// address; or set ZOOMIN_S3_ENDPOINT, your S3 credentials and ZOOMIN_UPLOAD_BUCKET, and it is uploaded first.",
        )
    storage, bucket = Storage(settings), settings.upload_bucket
    owner = settings.api_key.get_secret_value() if settings.api_key else ""  # two tenants may choose the same key
    place = hashlib.sha256(f"{owner} {key}".encode()).hexdigest()[:32]
    if path.is_dir():
        return _upload_images(storage, path, bucket, place)
    if manifest_format(path.name) is None:
        raise RejectedError(
            "source_unknown", f"{source} is neither a folder nor a manifest. A manifest ends in .jsonl or .csv, or .gz of it."
        )
    manifest = f"{MANIFESTS}{place}/{path.name}"
    storage.upload_file(bucket, manifest, path, MEDIA_TYPE)
    return address(bucket, manifest)


def _upload_images(storage: Storage, folder: Path, bucket: str, place: str) -> str:
    """Uploads every image, then a manifest of all. One that could not be uploaded is in it, too, and fails there as missing."""
    images, prefix = find_images(folder), f"{UPLOADS}{place}/images/"
    for row in upload_folder(storage, folder, images, bucket, prefix):
        if isinstance(row, RowError):
            say(f"Not uploaded: {clean(row.message)} [{row.code}]")
    names = [image.as_posix().encode(errors="replace").decode() for image in images]
    rows = [json.dumps({SOURCE_REF: address(bucket, prefix + name), "custom_id": name}) for name in names]
    manifest = f"{MANIFESTS}{place}/manifest.jsonl.gz"
    storage.put(bucket, manifest, gzip.compress("\n".join(rows).encode(), mtime=0), MEDIA_TYPE)  # the same again: the same ETag
    return address(bucket, manifest)
