"""An API on real services, and callers with keys, for the tests of the HTTP surface."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import httpx
from PIL import Image
from sqlalchemy import Engine, text

from api.app import create_app
from tests.integration.queue_world import RELEASE, verdict
from worker.intake.inline import submit_references
from worker.intake.storage import Storage
from worker.intake.submission import Submission
from worker.moderation.boxes import Box
from worker.moderation.degradation import Border, Degradation, DegradationBand
from worker.moderation.outcomes import EvidenceFacts, ItemReference, Outcome, OutcomeKind, Region
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.announcements import announce
from worker.store.api_keys import NewKey, create_key
from worker.store.chunks import claim, complete
from worker.store.outcomes import Judgement, record_outcomes
from worker.store.releases import ensure_release
from worker.store.session import transaction
from worker.store.settlement import finish_batches

EVERYTHING = frozenset(Scope)


def new_key(engine: Engine, *scopes: Scope, tenant: str = "default", lifetime: Any = None) -> NewKey:
    """A key as `zoomin keys create` makes it; with all scopes unless some are named."""
    with transaction(engine) as session:
        return create_key(session, tenant_id=tenant, name="test", scopes=scopes or EVERYTHING, lifetime=lifetime, actor="test")


@asynccontextmanager
async def calling(settings: Settings, key: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a fresh application, in this process."""
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
        yield client


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code, after a look that the body is a whole problem of RFC 9457."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "request_id", "retryable", "errors"}
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["code"]


def fresh() -> dict[str, str]:
    """Headers of a submission under a key of its own."""
    return {"Idempotency-Key": uuid4().hex}


def judged_batch(engine: Engine, storage: Storage, settings: Settings, *, tenant: str = "default") -> UUID:
    """A finished batch of two items: a verdict with a region, and a failure.

    The region's crop is in the evidence bucket, and stands for the whole image, too.
    """
    rows = [{"source-ref": f"s3://{settings.upload_bucket}/{name}.jpg", "custom_id": name} for name in ("judged", "broken")]
    submission = Submission(tenant=tenant, idempotency_key=uuid4().hex, digest="", priority=0, actor="test")
    batch_id = submit_references(rows, submission, settings, engine).batch.id
    crop = a_crop()
    digest = hashlib.sha256(crop).hexdigest()
    facts = EvidenceFacts(sha256=digest, media_type="image/webp", byte_count=len(crop))
    storage.put(settings.evidence_bucket, facts.key, crop, facts.media_type)
    outcomes = {
        0: replace(
            verdict(ItemReference(batch_id, 0, "judged", "b", "k")),
            regions=(Region(box=Box(1, 2, 30, 40), reason="hand", crop_box=Box(0, 0, 35, 45), crop_sha256=digest, scale=1.0),),
            evidence=(facts,),
            sent_sha256=digest,
            degradation=Degradation(jpeg_quality=80, blur=0.25, rescaling=1.0, border=Border(top=12)),
            degradation_band=DegradationBand.COMPRESSED,
        ),
        1: Outcome(ordinal=1, kind=OutcomeKind.FAILED, error_code="image_corrupt", error_message="The image is damaged."),
    }
    with transaction(engine) as session:
        ensure_release(session, RELEASE)
        announce(session, 1_000, max_attempts=3)
        chunk = session.execute(text("SELECT id FROM chunks WHERE batch_id = :id"), {"id": batch_id}).scalar_one()
        lease = claim(session, chunk, "test", 60)
        assert lease is not None
        judgement = Judgement(actor="test", release=RELEASE, evidence_bucket=settings.evidence_bucket)
        record_outcomes(session, lease, list(outcomes.values()), judgement)
        assert complete(session, lease)
        assert batch_id in finish_batches(session, actor="test")
    return batch_id


def a_crop() -> bytes:
    """A small picture, as evidence is kept: lossless WebP."""
    out = BytesIO()
    Image.new("RGB", (35, 45), (120, 30, 30)).save(out, "webp", lossless=True)
    return out.getvalue()
