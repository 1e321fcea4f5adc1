"""Explanations in other languages: what there is to translate, what was kept, and what it cost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.text import clean
from worker.moderation.translation.catalogue import SOURCE_NAME
from worker.moderation.translation.facts import find_facts
from worker.moderation.translation.languages import Language
from worker.moderation.translation.passages import Field, Passage
from worker.store import audit
from worker.store.erasures import check_not_erased
from worker.store.models import OutcomeRow, RegionRow, TranslationCallRow, TranslationRow

SPENT = text(
    """
    -- spent: tokens of this day (UTC), of all tenants
    SELECT coalesce(sum(prompt_tokens + completion_tokens), 0) FROM translation_calls
     WHERE created_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model said of an image in a revision, in the order in which people read it."""

    revision: int
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A translation that passed. `source` is the catalogue's or a model's name; `detected`, the language it was found to be in."""

    tenant_id: str
    batch_id: UUID
    ordinal: int
    revision: int
    language: Language
    original: Sequence[Passage]
    passages: Sequence[Passage]
    source: str
    asked_by: str
    detected: str | None = None

    @property
    def machine(self) -> bool:
        """Whether a model translated."""
        return self.source != SOURCE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One reply of a translator. `problems` are codes of why it was not kept."""

    tenant_id: str
    job_id: UUID
    language: Language
    model: str
    prompt_tokens: int
    completion_tokens: int
    problems: Sequence[str]


def read_said(session: Session, batch_id: UUID, ordinal: int, revision: int | None = None) -> Said:
    """The newest outcome's texts, or a revision's. The caller has seen that the tenant has the item.

    Raises RejectedError: item_erased, explanation_missing (nothing was judged, or nothing said).
    """
    check_not_erased(session, batch_id, ordinal)
    query = select(OutcomeRow).filter_by(batch_id=batch_id, ordinal=ordinal).order_by(OutcomeRow.revision.desc()).limit(1)
    row = session.execute(query if revision is None else query.filter_by(revision=revision)).scalar_one_or_none()
    regions = select(RegionRow).filter_by(batch_id=batch_id, ordinal=ordinal, revision=row.revision if row else 0)
    passages = _passages(row, session.execute(regions.order_by(RegionRow.position)).scalars().all()) if row else ()
    if row is None or not passages:
        raise RejectedError("explanation_missing", "The model said nothing of the image that could be translated.")
    return Said(revision=row.revision, passages=passages)


def find_translation(session: Session, batch_id: UUID, ordinal: int, revision: int, language: Language) -> TranslationRow | None:
    """The one that is kept."""
    return session.get(TranslationRow, (batch_id, ordinal, revision, language.tag))


def item_translations(session: Session, batch_id: UUID, ordinal: int, revision: int) -> list[TranslationRow]:
    """All of a revision, by language."""
    query = select(TranslationRow).filter_by(batch_id=batch_id, ordinal=ordinal, revision=revision).order_by(TranslationRow.language)
    return list(session.execute(query).scalars())


def keep_translation(session: Session, kept: Kept) -> TranslationRow:
    """Keeps it, unless one is kept already, which then stays. Raises RejectedError `item_erased`."""
    check_not_erased(session, kept.batch_id, kept.ordinal)
    place: dict[str, Any] = {"batch_id": kept.batch_id, "ordinal": kept.ordinal, "revision": kept.revision}
    values = {
        **place,
        "language": kept.language.tag,
        "tenant_id": kept.tenant_id,
        "passages": [{"field": each.field.value, "position": each.position, "text": each.text} for each in kept.passages],
        "source": kept.source,
        "machine": kept.machine,
        "verified": _verified(kept),
        "asked_by": kept.asked_by,
    }
    added = postgresql.insert(TranslationRow).values(values).on_conflict_do_nothing().returning(TranslationRow.language)
    if session.execute(added).scalar_one_or_none() is not None:
        detail = {"language": kept.language.tag, "machine": kept.machine}
        audit.record(session, actor=kept.asked_by, action="translation.kept", tenant_id=kept.tenant_id, **place, detail=detail)
    return session.get_one(TranslationRow, (*place.values(), kept.language.tag))


def note_call(session: Session, call: Call) -> None:
    """Records what a reply cost, whatever became of it."""
    session.execute(
        insert(TranslationCallRow).values(
            tenant_id=call.tenant_id,
            job_id=call.job_id,
            language=call.language.tag,
            model=call.model,
            prompt_tokens=call.prompt_tokens,
            completion_tokens=call.completion_tokens,
            problems=list(call.problems),
        )
    )


def tokens_today(session: Session) -> int:
    """What all calls of the day (UTC) cost."""
    return int(session.execute(SPENT).scalar_one())


def passages_of(row: TranslationRow) -> tuple[Passage, ...]:
    """The texts of a kept translation."""
    return tuple(Passage(Field(each["field"]), each["position"], each["text"]) for each in row.passages)


def _passages(outcome: OutcomeRow, regions: Sequence[RegionRow]) -> tuple[Passage, ...]:
    texts: list[tuple[Field, int | None, str | None]] = [
        (Field.EXPLANATION, None, outcome.explanation),
        (Field.SCAN_EXPLANATION, None, outcome.scan_explanation),
    ]
    for region in regions:
        texts += [(Field.REASON, region.position, region.reason), (Field.FINDING, region.position, region.finding)]
    return tuple(Passage(field, position, shown) for field, position, said in texts if (shown := clean(said or "")))


def _verified(kept: Kept) -> dict[str, Any]:
    facts = Counter(fact.kind.value for passage in kept.original for fact in find_facts(passage.text, english=True))
    return {"facts": dict(facts), "detected": kept.detected}
