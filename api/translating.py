"""Explanations in other languages, for the API and for pages: which are offered, what there is, and asking for one."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.explanation_jobs import AskedJob, JobKind
from worker.moderation.translation import catalogue
from worker.moderation.translation.languages import SOURCE, Language, find_language
from worker.moderation.translation.passages import Passage
from worker.store.explanation_jobs import ask_for, count_waiting, unfinished_jobs
from worker.store.models import ExplanationJobRow, TranslationRow
from worker.store.policy_reading import listed_languages
from worker.store.translations import Kept, find_translation, item_translations, keep_translation, passages_of, read_said

MOST_WAITING = 500  # of one tenant: what a key that leaked can order at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose item is to be translated, and for whom."""

    tenant: str
    actor: str
    batch_id: UUID
    ordinal: int
    revision: int | None  # None: the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class InLanguage:
    """A kept translation beside its original: the passages of both, in the same order."""

    row: TranslationRow
    language: Language
    original: Sequence[Passage]
    passages: Sequence[Passage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything there is of a revision."""

    revision: int
    original: Sequence[Passage]
    offered: Sequence[Language]
    translations: Sequence[InLanguage]
    jobs: Sequence[ExplanationJobRow]


def offered_languages(session: Session, batch_id: UUID) -> list[Language]:
    """Those that the batch's live policy lists, as far as they are known here, in its order; English is the original."""
    return [language for language in _known(listed_languages(session, batch_id)) if language.primary != SOURCE]


def ask_for_translation(session: Session, wanted: Wanted, tag: str) -> tuple[InLanguage | None, ExplanationJobRow | None]:
    """The translation, or the job that makes it. The caller has seen that the tenant has the item.

    Raises RejectedError: language_unsupported, language_not_offered, item_erased, explanation_missing, translations_waiting.
    """
    language = _checked(session, wanted.batch_id, tag)
    said = read_said(session, wanted.batch_id, wanted.ordinal, wanted.revision)
    place: dict[str, Any] = {"batch_id": wanted.batch_id, "ordinal": wanted.ordinal, "revision": said.revision}
    row = find_translation(session, **place, language=language)
    if row is None and catalogue.in_catalogue(said.passages) and catalogue.catalogue_of(language):
        kept = Kept(
            tenant_id=wanted.tenant,
            **place,
            language=language,
            original=said.passages,
            passages=catalogue.translate(said.passages, language),
            source=catalogue.SOURCE_NAME,
            asked_by=wanted.actor,
        )
        row = keep_translation(session, kept)
    if row is not None:
        return _beside(row, said.passages), None
    wish = AskedJob(tenant_id=wanted.tenant, kind=JobKind.TRANSLATION, **place, key=language.tag, asked_by=wanted.actor)
    asked = ask_for(session, wish)
    if asked.begun and count_waiting(session, wanted.tenant, JobKind.TRANSLATION) > MOST_WAITING:
        raise RejectedError(
            "translations_waiting", f"{MOST_WAITING} translations of yours wait already. Ask again when some of them are there."
        )
    return None, asked.job


def overview(session: Session, wanted: Wanted) -> Overview:
    """What there is, and what may be asked for. Raises RejectedError: item_erased, explanation_missing."""
    said = read_said(session, wanted.batch_id, wanted.ordinal, wanted.revision)
    rows = item_translations(session, wanted.batch_id, wanted.ordinal, said.revision)
    return Overview(
        revision=said.revision,
        original=said.passages,
        offered=offered_languages(session, wanted.batch_id),
        translations=[_beside(row, said.passages) for row in rows],
        jobs=unfinished_jobs(session, wanted.batch_id, wanted.ordinal, said.revision, JobKind.TRANSLATION),
    )


def _known(tags: Sequence[str]) -> list[Language]:
    """The languages of the tags, each once: `zh-TW` and `zh-Hant-TW` are one. Asking for a tag that nobody supports tells so."""
    found: dict[str, Language] = {}
    for tag in tags:
        with suppress(RejectedError):
            language = find_language(tag)
            found.setdefault(language.tag, language)
    return list(found.values())


def _checked(session: Session, batch_id: UUID, tag: str) -> Language:
    """The language, which the policy lists, whichever way either tag is written."""
    language = find_language(tag)
    listed = listed_languages(session, batch_id)
    if language not in _known(listed):
        names = ", ".join(listed) or "none"
        raise RejectedError("language_not_offered", f"The policy does not list {tag}. It lists: {names}.")
    if language.primary == SOURCE:
        raise RejectedError("language_not_offered", "The explanation is in English as it is.")
    return language


def _beside(row: TranslationRow, original: Sequence[Passage]) -> InLanguage:
    return InLanguage(row=row, language=find_language(row.language), original=original, passages=passages_of(row))
