"""Batches of an installation behind its API. Whose they are, the key decides."""

import re
import time
from collections.abc import Callable, Collection, Iterator
from uuid import UUID

import httpx

from worker.cli.installation import answers
from worker.cli.installation.asking import Listed, Submission
from worker.cli.installation.http import Api
from worker.cli.installation.uploading import reachable
from worker.cli.terminal import say
from worker.intake.enqueue import BatchReceipt, IntakeProgress
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import OutcomeKind
from worker.moderation.settings import Settings
from worker.store.models.intake import BatchState
from worker.store.progress import BatchProgress, Judges
from worker.store.results import ItemResult, RowError

PAGE = 200  # batches per request: the most the API gives
INTAKE_POLL_SECONDS = 0.5
SILENCE_SECONDS = 20.0  # without a row, before the user is told where to look
SILENCE_HINT = "Accepted, and no row of it is taken in yet: other sources may come first, or no `zoomin intake` runs over there."
KEY = re.compile(r"[!-~]{1,200}")


class RemoteBatches:
    """See `Batches`."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api = api
        self._settings = settings
        self._seen: dict[UUID, tuple[str, BatchProgress]] = {}  # by batch: its ETag and what it stands for

    def submit(self, source: str, submission: Submission, watch: Callable[[IntakeProgress], None]) -> BatchReceipt:
        """Accepted by the API, and followed until its intake there has ended."""
        _refuse_tenant(submission.tenant)
        if not KEY.fullmatch(submission.key):
            raise RejectedError("idempotency_key_invalid", "Over the API a key has 1 to 200 visible ASCII characters.")
        address = reachable(source, self._settings, submission.key)
        body = {"source": address, "priority": submission.priority, "policy": submission.policy}
        answer = self._api.post("/v1/batches", body, repeatable=True, headers={"Idempotency-Key": submission.key})
        batch = self._taken_in(answers.read_batch(answer.content).progress(Judges()), watch)
        return BatchReceipt(batch.batch_id, "Idempotency-Replayed" not in answer.headers, batch.accepted, batch.rejected)

    def progress(self, batch_id: UUID) -> BatchProgress:
        """Asked for with the ETag that was seen last: while nothing changes, nothing is sent."""
        etag, known = self._seen.get(batch_id, (None, None))
        answer = self._api.get(f"/v1/batches/{batch_id}", etag=etag)
        if answer.status_code == httpx.codes.NOT_MODIFIED and known is not None:
            return known
        judges = answers.read_judges(self._api.get(f"/v1/batches/{batch_id}/judges").content).value()
        found = answers.read_batch(answer.content).progress(judges)
        self._seen[batch_id] = answer.headers.get("ETag", ""), found
        return found

    def newest(self, tenant: str | None, limit: int) -> list[Listed]:
        """Newest first."""
        _refuse_tenant(tenant)
        found: list[answers.Batch] = []
        query: dict[str, str | int] = {"limit": min(limit, PAGE)}
        while len(found) < limit:
            page = answers.read_page(self._api.get("/v1/batches", query=query).content)
            found += page.batches
            if page.next_cursor is None:
                break
            query["cursor"] = page.next_cursor
        return [
            Listed(tenant=batch.tenant, source=batch.source, created_at=batch.created_at, progress=batch.progress(Judges()))
            for batch in found[:limit]
        ]

    def cancel(self, batch_id: UUID) -> BatchState:
        """Asks for the batch's end."""
        return answers.read_batch(self._api.post(f"/v1/batches/{batch_id}:cancel", repeatable=True).content).state

    def resume(self, batch_id: UUID) -> BatchState:
        """Lets a paused batch go on."""
        return answers.read_batch(self._api.post(f"/v1/batches/{batch_id}:resume", repeatable=False).content).state

    def rescan(self, batch_id: UUID, only: Collection[OutcomeKind] | None) -> int:
        """Begins a new revision."""
        body = None if only is None else {"only": sorted(kind.value for kind in only)}
        return answers.read_rescan(self._api.post(f"/v1/batches/{batch_id}:rescan", body, repeatable=False).content).items

    def export(self, batch_id: UUID, form: str, revision: int | None, limit: int | None) -> Iterator[ItemResult]:
        """Results as JSON Lines, whatever they become here: the API records what it hands out."""
        del form
        asked = {"revision": revision, "limit": limit}
        query = {name: value for name, value in asked.items() if value is not None}
        return (answers.read_result(line).value() for line in self._api.lines(f"/v1/batches/{batch_id}/results", query))

    def export_errors(self, batch_id: UUID) -> Iterator[RowError]:
        """Refused rows."""
        return (answers.read_refused(line).value() for line in self._api.lines(f"/v1/batches/{batch_id}/errors", {}))

    def _taken_in(self, batch: BatchProgress, watch: Callable[[IntakeProgress], None]) -> BatchProgress:
        """The batch when its intake has ended, or was paused."""
        hint_at: float | None = time.monotonic() + SILENCE_SECONDS
        while batch.state is BatchState.RECEIVING:
            watch(IntakeProgress(batch.batch_id, batch.accepted, batch.rejected, None))
            if hint_at is not None and time.monotonic() > hint_at:
                if not batch.accepted + batch.rejected:
                    say(SILENCE_HINT)
                hint_at = None
            time.sleep(INTAKE_POLL_SECONDS)
            batch = self.progress(batch.batch_id)
        return batch


def _refuse_tenant(tenant: str | None) -> None:
    if tenant is not None:
        raise RejectedError("tenant_by_key", "Over the API the key says which tenant it is: leave --tenant away.")
