"""Explanation jobs: work about a recorded outcome that is asked for, queued and done apart from judging. None changes a verdict.

The kinds and states are closed sets; what is asked and what a worker holds are frozen values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID


class JobKind(StrEnum):
    """What is to be made."""

    ATTENTION = "attention"  # a map of what the verdict looked at
    LOOK = "look"  # the engine zooms where somebody asks it to
    TRANSLATION = "translation"  # the explanation in another language


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"  # may be announced once its time has come
    ANNOUNCED = "announced"  # its id is in Redis; rung again when nobody claims it
    RUNNING = "running"  # a worker holds it until its lease expires
    DONE = "done"  # what it made is recorded
    FAILED = "failed"  # its error says why; the verdict is what it was


class JobQueue(StrEnum):
    """Celery's queues for jobs."""

    ATTENTION = "attention"  # of the attention worker, which has PyTorch and no engine
    LOOKS = "looks"  # of the scan workers: they have the engine
    TRANSLATIONS = "translations"  # of the scan workers


QUEUES: Mapping[JobKind, JobQueue] = MappingProxyType(
    {JobKind.ATTENTION: JobQueue.ATTENTION, JobKind.LOOK: JobQueue.LOOKS, JobKind.TRANSLATION: JobQueue.TRANSLATIONS}
)
MOST_ANNOUNCEMENTS = 400  # of a job, once asked for: a day and a half of outages, or four days without a worker; then it has failed


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedJob:
    """What is asked, about which outcome. `key` tells apart what a kind can make of one outcome: asked twice, it is one job.

    `detail` holds ids and parameters: no words of people or models, nothing of an image.
    """

    tenant_id: str
    kind: JobKind
    batch_id: UUID
    ordinal: int
    revision: int
    key: str
    asked_by: str  # an actor
    detail: Mapping[str, Any] = field(default_factory=dict)
    sampled: bool = False  # drawn by a policy: it lets what somebody waits for go first


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job in a worker's hands, as long as `token` is its lease's."""

    id: UUID
    tenant_id: str
    kind: JobKind
    batch_id: UUID
    ordinal: int
    revision: int
    key: str
    detail: Mapping[str, Any]
    asked_by: str
    token: UUID
    attempts: int  # claims so far, this one included
    announcements: int
    claimed_at: datetime  # by the database's clock
