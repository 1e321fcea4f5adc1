"""Intake in the background: a batch is accepted as one row, and its source is read by whichever process claims it.

Everything that can happen to a reader has one answer: a service is away → later; an operator must act → the batch is paused; the source
is refused → the batch ends with a row error that says why; the process dies → another goes on; and after `max_attempts` deaths without
one slice in between, the batch ends too.
"""

import threading
import time
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Engine

from worker.intake.receiving import ACTOR, IntakeProgress, Watcher, receive
from worker.intake.sources import find_stored_source
from worker.intake.storage import Storage
from worker.intake.submission import Accepted, Submission, open_submission
from worker.moderation.errors import FencedError, MisconfiguredError, RejectedError, TransientError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.settings import Settings
from worker.store.batches import find_batch, find_submitted
from worker.store.chunks import pause_batch
from worker.store.intakes import IntakeLease, claim_intake, end_intake, postpone_intake, renew_intake, request_intake
from worker.store.session import transaction
from worker.store.slices import refuse_rest

RENEW_SECONDS = 1.0  # slices come faster than a lease needs to hear of


class StoppedError(TransientError):
    """The reader was asked to stop between two slices."""


def submit_source(source: str, submission: Submission, settings: Settings, engine: Engine, storage: Storage) -> Accepted:
    """Accepts an s3:// prefix or manifest after one look that it is there; a background intake reads it. Raises as `enqueue_batch`."""
    with transaction(engine) as session:
        known = find_submitted(session, submission.tenant, submission.idempotency_key)
    # A retry is answered even if the source is gone by now.
    found = None if known else find_stored_source(source, settings, storage)
    batch_id = new_uuid7()
    with transaction(engine) as session:
        batch = open_submission(session, submission, batch_id, found.name if found else source)
        if found and batch.id == batch_id:
            request_intake(session, batch_id, source=source, identity=found.identity)
    return Accepted(batch, batch.id == batch_id)


@dataclass(frozen=True, slots=True)
class BackgroundIntake:
    """A reader of accepted sources, named `owner` in its leases."""

    settings: Settings
    engine: Engine
    storage: Storage
    owner: str
    stop: threading.Event = field(default_factory=threading.Event)

    def receive_next(self) -> UUID | None:
        """Takes in the most urgent batch that waits, as far as it goes: which; None when none waits. Raises TransientError."""
        with transaction(self.engine) as session:
            lease = claim_intake(session, self.owner, self.settings.lease_seconds)
        if lease is None:
            return None
        try:
            self._receive(lease)
        except FencedError:  # somebody else reads it by now, or a command resumed it
            return lease.batch_id
        except MisconfiguredError as error:
            self._pause(lease, error)
        except RejectedError as error:
            self._refuse(lease, error)
        except TransientError as error:
            self._postpone(lease, f"{error.code}: {error.message}", charge=False)
        except Exception as error:
            self._postpone(lease, f"fault: {type(error).__name__}", charge=True)
            raise
        return lease.batch_id

    def _receive(self, lease: IntakeLease) -> None:
        if lease.attempts > self.settings.max_attempts:
            raise RejectedError("intake_keeps_dying", "Whatever read this source died each time. Check the manifest, or split it.")
        with transaction(self.engine) as session:
            batch = find_batch(session, lease.batch_id)
        source = find_stored_source(lease.source, self.settings, self.storage)
        if source.identity != lease.identity:
            raise RejectedError("manifest_changed", f"{source.name} changed after it was submitted. Submit it again under a new key.")
        receive(batch, source, self.settings, self.engine, self._renewing(lease))
        with transaction(self.engine) as session:
            end_intake(session, lease.batch_id)

    def _renewing(self, lease: IntakeLease) -> Watcher:
        """Renews the lease as slices are written: the thread that sees progress, not a timer. Raises StoppedError."""
        renewed = float("-inf")

        def renew(_: IntakeProgress) -> None:
            nonlocal renewed
            if time.monotonic() - renewed > RENEW_SECONDS:
                with transaction(self.engine) as session:
                    renew_intake(session, lease.batch_id, self.owner, self.settings.lease_seconds)
                renewed = time.monotonic()
            if self.stop.is_set():
                raise StoppedError("intake_stopped", "The intake worker was stopped; another goes on.")

        return renew

    def _pause(self, lease: IntakeLease, error: MisconfiguredError) -> None:
        with transaction(self.engine) as session:
            pause_batch(session, lease.batch_id, error.message)
            postpone_intake(session, lease.batch_id, self.owner, reason=f"{error.code}: {error.message}", charge=False)

    def _refuse(self, lease: IntakeLease, error: RejectedError) -> None:
        """A refusal on the way has ended the batch already; one before the first row ends it here."""
        with transaction(self.engine) as session:
            refuse_rest(session, lease.batch_id, code=error.code, message=error.message, actor=ACTOR)
            end_intake(session, lease.batch_id, reason=error.code)

    def _postpone(self, lease: IntakeLease, reason: str, *, charge: bool) -> None:
        with transaction(self.engine) as session:
            postpone_intake(session, lease.batch_id, self.owner, reason=reason, charge=charge)
