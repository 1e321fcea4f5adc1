"""Pixels that the model was sent, and what was drawn of them, as they are kept; every look at them is an audit event."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Response

from api.problems import ProblemError
from api.security.principal import Principal, require
from api.services import ApiServices
from worker.moderation.errors import RejectedError
from worker.moderation.scopes import Scope
from worker.store import audit
from worker.store.items import StoredEvidence
from worker.store.session import transaction

# Evidence is written by our own encoder alone, so it is passed on as it is, once its sha256 is right: nothing is decoded here.
SIGNATURES = {"image/webp": b"RIFF", "image/png": b"\x89PNG\r\n\x1a\n"}
ARRAYS = {"application/x-npz": b"PK\x03\x04"}  # raw numbers of attention maps
MAX_BYTES = 50_000_000  # more than the model can be sent
SECONDS = 10.0

# Whoever reads verdicts, and whoever judges them, sees what they were made from: any of the tenant's, not a held task's alone.
Viewer = Annotated[Principal, Depends(require(Scope.READ, Scope.REVIEW, Scope.LEAD))]
# What a model has to make costs a machine's time, or money: whoever only reads may see what is there.
Asker = Annotated[Principal, Depends(require(Scope.SUBMIT, Scope.REVIEW, Scope.LEAD))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Who looks at what. `noun` is crop, image or attention_map: events and problems are named after it."""

    principal: Principal
    noun: str
    batch_id: UUID
    ordinal: int
    revision: int
    detail: Mapping[str, Any] | None = None


def show(services: ApiServices, stored: StoredEvidence | None, look: Look) -> Response:
    """The object. Waits for the object store. Raises ProblemError: `<noun>_missing`, `<noun>_damaged`."""
    if stored is None:
        raise ProblemError(f"{look.noun}_missing")
    try:
        body = services.storage.get(stored.bucket, stored.key, max_bytes=MAX_BYTES, timeout_seconds=SECONDS).body
    except RejectedError:  # erased, or past its retention
        raise ProblemError(f"{look.noun}_missing") from None
    signature = (SIGNATURES | ARRAYS).get(stored.media_type, b"\x00")
    if hashlib.sha256(body).hexdigest() != stored.sha256 or not body.startswith(signature):
        raise ProblemError(f"{look.noun}_damaged")
    with transaction(services.engine) as session:
        audit.record(
            session,
            actor=look.principal.actor,
            action=f"{look.noun}.read",
            batch_id=look.batch_id,
            ordinal=look.ordinal,
            revision=look.revision,
            payload_digest=stored.sha256,
            detail=look.detail,
        )
    headers = {"Content-Disposition": f'inline; filename="{stored.sha256[:16]}"'}
    return Response(body, media_type=stored.media_type, headers=headers)
