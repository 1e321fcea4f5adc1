"""Explanations in other languages, and what asking for them cost."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.models.base import Base, BigSerial, Jsonb, Now, Small


class TranslationRow(Base):
    """What the model said of an image, in another language. Gone with the image's own texts."""

    __tablename__ = "translations"
    __table_args__ = ({"comment": "Explanations in other languages, verified; insert-only, and gone when the image is erased"},)

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), primary_key=True, comment="Batch of the outcome")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="Its revision")
    language: Mapped[str] = mapped_column(primary_key=True, comment="BCP-47 tag")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    passages: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, comment="The texts: field, position of the region, text; untrusted")
    source: Mapped[str] = mapped_column(comment="catalogue, or which model translated")
    machine: Mapped[bool] = mapped_column(comment="Whether a model translated: then it is marked so wherever it is shown")
    verified: Mapped[Jsonb] = mapped_column(comment="What was checked: how many facts of each kind are the same, the language it reads as")
    asked_by: Mapped[str] = mapped_column(comment="Who asked: an actor")
    created_at: Mapped[Now] = mapped_column(comment="When it was kept")


class TranslationCallRow(Base):
    """One reply of a translator, kept or not."""

    __tablename__ = "translation_calls"
    __table_args__ = (
        Index("ix_translation_calls_created_at", "created_at", postgresql_using="brin"),
        {"comment": "Every reply of a translator and what it cost; insert-only, and without a word of it"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="Nothing more than a key")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="For whom")
    job_id: Mapped[UUID] = mapped_column(comment="For which explanation job")
    language: Mapped[str] = mapped_column(comment="Into which language")
    model: Mapped[str] = mapped_column(comment="Who was asked")
    prompt_tokens: Mapped[int] = mapped_column(comment="As the translator counts them")
    completion_tokens: Mapped[int] = mapped_column(comment="As the translator counts them")
    problems: Mapped[list[str]] = mapped_column(
        ARRAY(TEXT), server_default=text("'{}'"), comment="Codes of why the reply was not kept; empty: it was"
    )
    created_at: Mapped[Now] = mapped_column(comment="When it came")
