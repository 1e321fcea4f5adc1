"""The runner for looks: the scan worker's model zooms where somebody asked it to."""

from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from worker.images.prepare import Evidence
from worker.moderation.errors import MisconfiguredError, TransientError
from worker.moderation.explanation_jobs import Job
from worker.moderation.looks import LookAnswer
from worker.queue.async_moderator import AsyncModerator
from worker.queue.explaining import Bench, Runner, Write
from worker.store.look_answers import LookedBy, look_to_answer, record_look
from worker.store.session import transaction
from worker.zoomin.look import AskedLook, RecordedScan, look
from worker.zoomin.prompts.looks import load_look_prompts
from worker.zoomin.tools import Tools

LONGEST_SECONDS = 180.0  # a zoom takes seconds, behind others some more; whoever waits longer has left


def build(bench: Bench) -> Runner:
    """The runner of this process."""
    return partial(answer_look, bench)


def answer_look(bench: Bench, job: Job) -> Write:
    """Looks, and gives back what writes it down. Raises as `look` does; MisconfiguredError without a model in this process."""
    moderator = bench.moderator
    if not isinstance(moderator, AsyncModerator):
        raise MisconfiguredError("looker_missing", "The worker that took this look has no model that could be asked.")
    look_id = UUID(job.key)
    with transaction(bench.engine) as session:
        wanted = look_to_answer(session, look_id)
        since = session.execute(select(func.now())).scalar_one()  # before the crop is stored
    scan = RecordedScan(turns=wanted.turns, reply=wanted.reply, image_sha256=wanted.image_sha256, sent_sha256=wanted.sent_sha256)
    asked = AskedLook(scan=scan, box=wanted.box, question=wanted.question, earlier=wanted.earlier)

    async def ask(tools: Tools) -> LookAnswer:
        async def keep(sent: Sequence[Evidence]) -> None:
            bench.storing(job, [one.facts for one in sent])
            await tools.keep(sent)

        return await look(wanted.item, asked, replace(tools, keep=keep), load_look_prompts())

    answer = _awaited(moderator.begin(ask))

    def write(session: Session) -> None:
        by = LookedBy(
            actor=bench.owner, release_id=moderator.release.id, evidence_bucket=bench.settings.evidence_bucket, stored_since=since
        )
        record_look(session, look_id, answer, by)

    return write


def _awaited(running: "Future[LookAnswer]") -> LookAnswer:
    """The answer. Raises TransientError `look_timed_out`, and as `look` does."""
    try:
        if not wait([running], timeout=LONGEST_SECONDS).done:
            raise TransientError("look_timed_out", f"The model has not looked within {LONGEST_SECONDS:g} s. It is tried again.")
        return running.result()
    finally:
        running.cancel()  # takes the request out of the engine
