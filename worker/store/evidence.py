"""Evidence: which objects of our own bucket hold what the model was sent, and how long they are kept."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.moderation.outcomes import EvidenceFacts, RetentionClass
from worker.store.models import EvidenceRow


def keep_evidence(session: Session, wanted: Sequence[tuple[EvidenceFacts, RetentionClass]], *, bucket: str) -> None:
    """Notes the objects; the retention class of one that is known already can only rise."""
    classes: dict[EvidenceFacts, RetentionClass] = {}
    for facts, retention in wanted:
        classes[facts] = RetentionClass.CASE if RetentionClass.CASE in (retention, classes.get(facts)) else retention
    rows = [
        {
            "sha256": facts.sha256,
            "bucket": bucket,
            "key": facts.key,
            "media_type": facts.media_type,
            "byte_count": facts.byte_count,
            "retention_class": retention.value,
        }
        # Sorted, so that two writers that keep the same pixels never wait for each other in a circle.
        for facts, retention in sorted(classes.items(), key=lambda pair: pair[0].sha256)
    ]
    if rows:
        upsert = insert(EvidenceRow)
        rises = (EvidenceRow.retention_class == RetentionClass.ROUTINE) & (upsert.excluded.retention_class == RetentionClass.CASE)
        raised = {"retention_class": upsert.excluded.retention_class}
        session.execute(upsert.on_conflict_do_update(index_elements=["sha256"], set_=raised, where=rises), rows)
