"""One run of retention: everything whose term is over goes. In pages, each a transaction: constant memory, safe to kill, safe with two."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from worker.intake.storage import Storage
from worker.retention.removal import Removed, remove_marked
from worker.store import audit
from worker.store.evidence_removal import count_due, mark_due, mark_unknown, unknown_keys
from worker.store.retention import PRUNE_STEPS, count_details, count_prunable, prune, sweep_details
from worker.store.session import transaction

EVIDENCE_PAGE = 200  # objects looked at per transaction: each asks for the items that hold it
DETAILS_PAGE = 500  # items per transaction
PRUNE_PAGE = 1_000  # rows per transaction
LISTING_PAGE = 1_000  # keys per look-up
STRAY_AFTER = timedelta(days=1)  # objects younger than this, by the store's clock, are probably being judged
STRAY_PREFIXES = tuple("0123456789abcdef")
EVIDENCE_KEY = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}")  # nothing else in the bucket is touched: seals, and whatever is not ours
STEPS = ("objects", "strays", "removed", "details", "traces", *PRUNE_STEPS)  # objects are marked, then removed

Watch = Callable[[str, int], None]  # a step and how many it has done so far


@dataclass(slots=True)
class Report:
    """What a run ended, by step; in a dry run, what it would end. `refused` objects were marked, and the store would not remove them."""

    ended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STEPS, 0))
    refused: int = 0

    def add(self, step: str, number: int) -> int:
        """So many more: how many of the step by now."""
        self.ended[step] += number
        return self.ended[step]


def run_retention(engine: Engine, storage: Storage, bucket: str, *, actor: str, watch: Watch = lambda *_: None) -> Report:
    """Ends what is due. Raises TransientError, MisconfiguredError; a later run goes on where this one stopped."""
    run = _Run(engine, storage, actor, watch, Report())
    run.mark_evidence()
    run.mark_strays(bucket)
    run.remove()
    run.sweep()
    run.prune()
    return run.report


def remove_let_go(engine: Engine, storage: Storage, *, actor: str) -> Removed:
    """Removes objects that nobody holds any more, such as an erased image's, and whatever was marked before. Raises as `run_retention`."""
    run = _Run(engine, storage, actor, lambda *_: None, Report())
    run.mark_evidence(let_go=True)
    return remove_marked(engine, storage)


def rehearse_retention(engine: Engine, storage: Storage, bucket: str, *, watch: Watch = lambda *_: None) -> Report:
    """What a run would end, changing nothing."""
    report = Report()
    with transaction(engine) as session:
        for step in PRUNE_STEPS:
            watch(step, report.add(step, count_prunable(session, step)))
    due: tuple[str, str] | None = ("-infinity", "")
    while due is not None:
        with transaction(engine) as session:
            number, due = count_due(session, after=due, page=EVIDENCE_PAGE)
        watch("objects", report.add("objects", number))
    place: tuple[UUID, int] | None = (UUID(int=0), -1)
    while place is not None:
        with transaction(engine) as session:
            number, place = count_details(session, after=place, page=DETAILS_PAGE)
        watch("details", report.add("details", number))
    for keys in _old_keys(engine, storage, bucket):
        with transaction(engine) as session:
            watch("strays", report.add("strays", len(unknown_keys(session, keys))))
    return report


@dataclass(frozen=True, slots=True)
class _Run:
    engine: Engine
    storage: Storage
    actor: str
    watch: Watch
    report: Report

    def mark_evidence(self, *, let_go: bool = False) -> None:
        while True:
            with transaction(self.engine) as session:
                looked = mark_due(session, page=EVIDENCE_PAGE, let_go=let_go)
                self._note(session, {"marked": looked.marked})
            self.watch("objects", self.report.add("objects", looked.marked))
            if looked.looked_at < EVIDENCE_PAGE:
                return

    def mark_strays(self, bucket: str) -> None:
        """Objects that a worker stored and never recorded: its lease was lost, or its image was erased meanwhile."""
        for keys in _old_keys(self.engine, self.storage, bucket):
            with transaction(self.engine) as session:
                number = mark_unknown(session, bucket, keys)
                self._note(session, {"strays": number})
            self.watch("strays", self.report.add("strays", number))

    def remove(self) -> None:
        removed: Removed = remove_marked(self.engine, self.storage, watch=lambda number: self.watch("removed", number))
        self.report.add("removed", removed.objects)
        self.report.refused = removed.refused

    def sweep(self) -> None:
        after = UUID(int=0)
        while True:
            with transaction(self.engine) as session:
                page = sweep_details(session, after=after, page=DETAILS_PAGE)
                if page is not None:
                    self._note(session, {"details": page.items, "traces": page.traces})
            if page is None:
                return
            self.watch("details", self.report.add("details", page.items))
            self.report.add("traces", page.traces)
            after = page.last if page.ended else UUID(int=page.last.int - 1)  # the same batch again, until its end

    def prune(self) -> None:
        for step in PRUNE_STEPS:
            number = PRUNE_PAGE
            while number == PRUNE_PAGE:
                with transaction(self.engine) as session:
                    number = prune(session, step, most=PRUNE_PAGE)
                    self._note(session, {step: number} if step != "evidence" else {})
                self.watch(step, self.report.add(step, number))

    def _note(self, session: Session, counts: Mapping[str, int]) -> None:
        """What a transaction ended is told in the transaction itself: a run that is killed leaves nothing untold."""
        told = {name: number for name, number in counts.items() if number}
        if told:
            audit.record(session, actor=self.actor, action="retention.purged", detail=told)


def _old_keys(engine: Engine, storage: Storage, bucket: str) -> Iterator[tuple[str, ...]]:
    with transaction(engine) as session:
        youngest = session.execute(select(func.now())).scalar_one() - STRAY_AFTER
    for prefix in STRAY_PREFIXES:
        old = (found.key for found in storage.list(bucket, prefix) if found.modified < youngest and EVIDENCE_KEY.fullmatch(found.key))
        while keys := tuple(islice(old, LISTING_PAGE)):
            yield keys
