"""The words of outcomes, written with them: stems in English, which is what the prompts have the model write.

Text in another language is found, too, by its words as they stand: query and text go through the same stemmer. What is lost are English
stop words alone; 'simple' would lose nothing, but would not find "fingers" for "finger".
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.store.outcome_rows import OutcomeRows, Place

LONGEST = 100_000  # characters, as in the view outcome_texts

KEEP = text(
    """
    -- keep words: of outcomes that were written in this transaction
    INSERT INTO outcome_words (tenant_id, batch_id, ordinal, revision, words)
    SELECT b.tenant_id, b.id, t.ordinal, :revision, to_tsvector('english', search_text(t.said))
      FROM batches AS b CROSS JOIN unnest(CAST(:ordinals AS integer[]), CAST(:said AS text[])) AS t (ordinal, said)
     WHERE b.id = :batch_id
    """
)


def keep_words(session: Session, place: Place, rows: Sequence[OutcomeRows]) -> None:
    """Makes outcomes searchable. Their texts are sent again: read back, they would depend on plans for tables that grow that moment."""
    texts = {row.outcome["ordinal"]: said for row in rows if (said := _said(row))}
    if texts:
        columns = {"ordinals": list(texts), "said": list(texts.values())}
        session.execute(KEEP, {"batch_id": place.batch_id, "revision": place.revision, **columns})


def _said(row: OutcomeRows) -> str:
    """What the view outcome_texts makes of the rows."""
    parts = [row.outcome["explanation"], *(region[name] for region in row.regions for name in ("reason", "finding"))]
    return " · ".join(part for part in parts if part is not None)[:LONGEST]
