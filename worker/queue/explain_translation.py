"""The runner for translations: an endpoint that is named in the settings, or else the model that judges, if it can speak."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sqlalchemy.orm import Session

from worker.moderation.errors import MisconfiguredError, OutageError, TransientError
from worker.moderation.explanation_jobs import Job
from worker.moderation.settings import Settings, is_safe_address
from worker.moderation.translation import catalogue
from worker.moderation.translation.languages import Language, find_language
from worker.moderation.translation.passages import Passage
from worker.queue.async_moderator import AsyncModerator
from worker.queue.explaining import Bench, Runner, Write
from worker.store.session import transaction
from worker.store.translations import Call, Kept, Said, keep_translation, note_call, read_said, tokens_today
from worker.translation.endpoint_text import EndpointText
from worker.translation.serving_text import ServingText
from worker.translation.translate import Billed, Translated, translate
from worker.vision.endpoint import EndpointAddress
from worker.vision.nano import NAME as NANO
from worker.zoomin.tools import Tools


def build(bench: Bench) -> Runner:
    """The runner of this process; an endpoint keeps its pace over all jobs. Raises MisconfiguredError for an address that is none."""
    return partial(run, bench, endpoint_of(bench.settings))


def endpoint_of(settings: Settings) -> EndpointText | None:
    """The endpoint that the settings name. Raises MisconfiguredError for an address that is none, or that no key may be sent to."""
    if settings.translation_model is None:
        return None
    address = EndpointAddress.parse(settings.translation_model, setting="ZOOMIN_TRANSLATION_MODEL", key="ZOOMIN_TRANSLATION_API_KEY")
    key = settings.translation_api_key
    if key is not None and not is_safe_address(address.base_url):
        raise MisconfiguredError(
            "model_address",
            "ZOOMIN_TRANSLATION_MODEL must be at https://…, or http:// on this machine: ZOOMIN_TRANSLATION_API_KEY goes there.",
        )
    return EndpointText(
        address,
        key.get_secret_value() if key else None,
        seconds=settings.translation_seconds,
        calls_per_minute=settings.translation_calls_per_minute,
    )


def run(bench: Bench, endpoint: EndpointText | None, job: Job) -> Write:
    """Translates, and gives back what keeps it. Raises as `translate` does; MisconfiguredError without a translator; OutageError."""
    language = find_language(job.key)
    with transaction(bench.engine) as session:
        said = read_said(session, job.batch_id, job.ordinal, job.revision)
        spent = tokens_today(session)
    if catalogue.in_catalogue(said.passages) and catalogue.catalogue_of(language):
        return _keeping(job, language, said, catalogue.translate(said.passages, language), source=catalogue.SOURCE_NAME)
    if spent >= bench.settings.translation_tokens_per_day:
        raise OutageError(
            "translation_budget_spent",
            f"Translations have cost {spent} tokens today; ZOOMIN_TRANSLATION_TOKENS_PER_DAY allows no more. It goes on at midnight, UTC.",
        )
    translator = _translator(bench, endpoint, language)
    replies: list[Billed] = []
    try:
        translated = translator.run(said.passages, language, replies)
    finally:
        _note_calls(bench, job, language, translator.name, replies)
    return _keeping(job, language, said, translated.passages, source=translator.name, detected=translated.detected)


class Translator(Protocol):
    """Runs a translation to its end on this thread."""

    @property
    def name(self) -> str:
        """Who translates."""
        ...

    def run(self, passages: Sequence[Passage], language: Language, replies: list[Billed]) -> Translated:
        """What every request counts for goes into `replies`, whatever becomes of it."""
        ...


@dataclass(frozen=True, slots=True)
class ByEndpoint:
    """Over HTTP, on an event loop of its own."""

    endpoint: EndpointText

    @property
    def name(self) -> str:
        """See Translator."""
        return self.endpoint.name

    def run(self, passages: Sequence[Passage], language: Language, replies: list[Billed]) -> Translated:
        """See Translator."""
        return asyncio.run(translate(passages, language, self.endpoint, billed=replies.append))


@dataclass(frozen=True, slots=True)
class ByServingModel:
    """On the loop of the engine that judges."""

    moderator: AsyncModerator
    seconds: float

    @property
    def name(self) -> str:
        """See Translator."""
        return self.moderator.release.name

    def run(self, passages: Sequence[Passage], language: Language, replies: list[Billed]) -> Translated:
        """See Translator. Raises TransientError `translation_timed_out`."""

        async def ask(tools: Tools) -> Translated:
            async with asyncio.timeout(self.seconds):
                return await translate(passages, language, ServingText(tools.vision), billed=replies.append)

        try:
            return self.moderator.begin(ask).result()
        except TimeoutError:
            raise TransientError("translation_timed_out", f"The model has not translated within {self.seconds:g} s.") from None


def _translator(bench: Bench, endpoint: EndpointText | None, language: Language) -> Translator:
    """Raises MisconfiguredError `translator_missing`."""
    if endpoint is not None:
        return ByEndpoint(endpoint)
    moderator = bench.moderator
    if not isinstance(moderator, AsyncModerator) or moderator.release.name == NANO:
        raise MisconfiguredError(
            "translator_missing",
            f"Nobody here can translate this into {language.name}: nano speaks by its catalogues only. Set ZOOMIN_TRANSLATION_MODEL.",
        )
    return ByServingModel(moderator, bench.settings.translation_seconds)


def _note_calls(bench: Bench, job: Job, language: Language, model: str, replies: Sequence[Billed]) -> None:
    with transaction(bench.engine) as session:
        for billed in replies:
            call = Call(
                tenant_id=job.tenant_id,
                job_id=job.id,
                language=language,
                model=model,
                prompt_tokens=billed.prompt_tokens,
                completion_tokens=billed.completion_tokens,
                problems=billed.problems,
            )
            note_call(session, call)


def _keeping(job: Job, language: Language, said: Said, passages: tuple[Passage, ...], *, source: str, detected: str | None = None) -> Write:
    kept = Kept(
        tenant_id=job.tenant_id,
        batch_id=job.batch_id,
        ordinal=job.ordinal,
        revision=job.revision,
        language=language,
        original=said.passages,
        passages=passages,
        source=source,
        asked_by=job.asked_by,
        detected=detected,
    )

    def write(session: Session) -> None:
        keep_translation(session, kept)

    return write
