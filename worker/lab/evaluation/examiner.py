"""Judges labelled pictures of a folder through the deployed path: the same engine, pipeline, decode children and concurrency."""

import asyncio
import hashlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

from worker.forensics.faithfulness import check_faithfulness, places_beside
from worker.images.confine import ChildLimits
from worker.images.fetch import Fetched
from worker.images.pool import DecodePool
from worker.lab.evaluation.judged import Judged, judged
from worker.lab.evaluation.runs import MAIN, Alteration, Run, altered_reply, read_altered
from worker.lab.labels import Label
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import ItemReference, Outcome, SourceFacts
from worker.moderation.release import Release
from worker.moderation.settings import Settings
from worker.queue.async_moderator import AsyncModerator, LoadedModel, keep_nothing, load_model, rehearse
from worker.queue.checking import nothing_wanted
from worker.queue.moderator import Unfinished
from worker.zoomin.release import name_release
from worker.zoomin.tools import EvidenceKeeper, Fetcher, Tools

ATTEMPTS = 3  # at a picture that a passing fault left unjudged
TICK_SECONDS = 0.5  # between looks at Ctrl-C
NO_BATCH = UUID(int=0)
# Noise on 12 megapixels takes 1.5 GB as floats; the pictures are a researcher's own.
ALTERING_LIMITS = ChildLimits(address_space_bytes=6 * 1024**3, cpu_seconds=120, wall_seconds=240.0)

Keep = Callable[[Judged], None]  # told of each picture as it is judged, in no order


class Examiner:
    """A loaded model, for runs over the pictures of one folder, one run at a time."""

    def __init__(self, model: LoadedModel, folder: Path, images_in_flight: int) -> None:
        self._model = model
        self._folder = folder
        self._images_in_flight = images_in_flight
        self._altering = DecodePool(1, ALTERING_LIMITS)  # starts its child when first used

    @property
    def release(self) -> Release:
        """What judges in the main run."""
        return self._release_of(MAIN)

    def rehearse(self) -> None:
        """Takes a made-up image through the whole path, so that nothing measured is a first time."""
        self._model.loop.submit(rehearse(self._tools(MAIN))).result()

    def judge(self, labels: Sequence[Label], run: Run, keep: Keep) -> None:
        """Hands every label's picture, judged, to `keep`. Raises EngineDiedError, MisconfiguredError, TransientError, OSError."""
        for label, outcome in self.outcomes(labels, run):
            keep(judged(label, outcome))

    def outcomes(self, labels: Sequence[Label], run: Run, evidence: EvidenceKeeper = keep_nothing) -> Iterator[tuple[Label, Outcome]]:
        """Every label with its whole outcome, in no order; `evidence` is given what the model was sent. Raises as `judge`."""
        left = dict(enumerate(labels))
        for _ in range(ATTEMPTS):
            unfinished: list[Unfinished] = []
            for event in self._answers(left, run, evidence):
                match event:
                    case Outcome():
                        yield left.pop(event.ordinal), event
                    case Unfinished(_, MisconfiguredError() as error):
                        raise error
                    case Unfinished():
                        unfinished.append(event)
            if not left:
                return
        first = unfinished[0]
        raise type(first.error)(first.error.code, f"{labels[first.ordinal].file}: {first.error.message}")

    def close(self) -> None:
        """Frees engine and children."""
        self._altering.close()
        self._model.close()

    def _answers(self, labels: Mapping[int, Label], run: Run, evidence: EvidenceKeeper) -> Iterator[Outcome | Unfinished | None]:
        items = [ItemReference(NO_BATCH, ordinal, label.file, "", label.file) for ordinal, label in labels.items()]
        # Not closed: it would close the model, which later runs need.
        moderator = AsyncModerator(
            model=self._model,
            tools=self._tools(run, evidence),
            release=self._release_of(run),
            images_in_flight=self._images_in_flight,
            # A figure is of all cited regions at once.
            check=partial(check_faithfulness, places=places_beside(self._images_in_flight), seconds=math.inf, each=False),
        )
        wanted = everything_judged if run.tested else nothing_wanted
        yield from moderator.judge(items, stop=threading.Event(), tick_seconds=TICK_SECONDS, wanted=wanted)

    def _release_of(self, run: Run) -> Release:
        return name_release(self._model.vision.card, self._model.prompts, run.choose)

    def _tools(self, run: Run, evidence: EvidenceKeeper = keep_nothing) -> Tools:
        return Tools(
            fetch=self._fetch_altered(run.alteration) if run.alteration else self._fetch,
            decoder=self._model.decoder,
            keep=evidence,
            vision=self._model.vision,
            prompts=self._model.prompts,
            choose=run.choose,
            release_id=self._release_of(run).id,
        )

    async def _fetch(self, item: ItemReference) -> Fetched:
        try:
            body = await asyncio.to_thread((self._folder / item.key).read_bytes)
        except OSError as error:
            raise RejectedError("file_unreadable", f"{item.key} could not be read: {error.strerror}.") from None
        return _fetched(body)

    def _fetch_altered(self, alteration: Alteration) -> Fetcher:
        async def fetch(item: ItemReference) -> Fetched:
            original = await self._fetch(item)
            return _fetched(await self._altering.run(altered_reply, original.body, alteration, item.key, read=read_altered))

        return fetch


def everything_judged(outcome: Outcome) -> bool:
    """What has a verdict, whatever it is."""
    return outcome.verdict is not None


@contextmanager
def opened_examiner(settings: Settings, folder: Path) -> Iterator[Examiner]:
    """An examiner of the model that the settings name, loaded and rehearsed. Raises MisconfiguredError."""
    with closing(Examiner(load_model(settings), folder, settings.images_in_flight)) as examiner:
        examiner.rehearse()
        yield examiner


def _fetched(body: bytes) -> Fetched:
    return Fetched(body, SourceFacts(sha256=hashlib.sha256(body).hexdigest(), byte_count=len(body)))
