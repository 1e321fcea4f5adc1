"""Submissions: one key, one request, one batch."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Header, Response

from api.schemas.batches import Reference, Terms
from api.security.principal import Principal
from worker.intake.submission import Submission

IdempotencyKey = Annotated[
    str,
    Header(
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Yours, new for each submission: the same key and request again give the same batch.",
        examples=["nightly-2026-11-25"],
    ),
]


def submission(principal: Principal, key: str, request: Mapping[str, Any], terms: Terms) -> Submission:
    """On whose behalf, under which key, and what the key must always mean from now on."""
    canonical = json.dumps([principal.tenant, request], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Submission(
        tenant=principal.tenant, idempotency_key=key, digest=digest, priority=terms.priority, policy=terms.policy, actor=principal.actor
    )


def rows_of(references: Sequence[Reference]) -> list[dict[str, Any]]:
    """References as a manifest has them."""
    return [reference.model_dump(by_alias=True, exclude_none=True) for reference in references]


def accepted(response: Response, batch_id: object, *, created: bool) -> None:
    """Where the batch is; and whether the key had been used for it before."""
    response.headers["Location"] = f"/v1/batches/{batch_id}"
    if not created:
        response.headers["Idempotency-Replayed"] = "true"
