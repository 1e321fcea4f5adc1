"""What a finished batch said of labelled pictures, read from Postgres: the same figures, of pictures that are judged already."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Row, text

from worker.lab.evaluation.judged import Judged, Tokens
from worker.lab.evaluation.judgements import Judgements
from worker.lab.evaluation.picture_set import PictureSet
from worker.lab.labels import Label, first_few
from worker.moderation.boxes import Box, Size
from worker.moderation.degradation import Border, Degradation
from worker.moderation.errors import RejectedError
from worker.moderation.faithfulness import Faithfulness
from worker.moderation.outcomes import OutcomeKind, StageSeconds, Verdict
from worker.moderation.release import Release, Training
from worker.store.models import ReleaseRow
from worker.store.session import transaction

PAGE = 1_000  # items per query
OUTCOMES = text(
    """
    -- items after an ordinal, each with all that its newest outcome says, its boxes, and its tokens over both stages
    SELECT i.ordinal, i.custom_id, i.key, o.kind, o.verdict, o.p_generated, o.p_generated_raw, o.scan_verdict, o.scan_p_generated,
           o.explanation, o.release_id, o.image_sha256, o.width, o.height, o.error_message,
           o.jpeg_quality, o.blur, o.rescaling, o.border, o.degradation_band,
           o.fetch_seconds, o.decode_seconds, o.scan_seconds, o.zoom_seconds,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(r.x0, r.y0, r.x1, r.y1, r.finding) ORDER BY r.position), '[]')
              FROM regions AS r WHERE (r.batch_id, r.ordinal, r.revision) = (o.batch_id, o.ordinal, o.revision)) AS regions,
           t.prompt_tokens, t.completion_tokens, t.cached_tokens, f.ordinal IS NOT NULL AS tested, f.score_drop, f.control_drop
      FROM items AS i
      LEFT JOIN LATERAL (
           SELECT * FROM outcomes AS n WHERE (n.batch_id, n.ordinal) = (i.batch_id, i.ordinal)
            ORDER BY n.revision DESC LIMIT 1) AS o ON true
      LEFT JOIN faithfulness_checks AS f ON (f.batch_id, f.ordinal, f.revision) = (o.batch_id, o.ordinal, o.revision)
      LEFT JOIN LATERAL (
           SELECT sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens, sum(cached_tokens) AS cached_tokens
             FROM traces AS a WHERE (a.batch_id, a.ordinal, a.revision) = (o.batch_id, o.ordinal, o.revision)) AS t ON true
     WHERE i.batch_id = :batch_id AND i.ordinal > :after
     ORDER BY i.ordinal LIMIT :page
    """
)


def judged_in_batch(engine: Engine, batch_id: UUID, pictures: PictureSet) -> Judgements:
    """The newest outcome of every labelled picture. An item is a label's when its custom id is the label's file, or their base names agree.

    Raises RejectedError: pictures that are missing, unjudged, found twice or not the labelled bytes; several releases. TransientError.
    """
    found = _matched(_rows(engine, batch_id), pictures.labels)
    unjudged = [file for file, row in found.items() if row.kind in {None, OutcomeKind.CANCELLED}]
    if unjudged:
        what = f"Batch {batch_id} has not come to {len(unjudged)} of the pictures (pending or cancelled)"
        raise RejectedError("batch_unfinished", f"{what}: {first_few(unjudged)}.")
    _refuse_other_bytes(found, pictures)
    main = tuple(_judged(label, found[label.file]) for label in pictures.labels)
    return Judgements(
        release=_release(engine, batch_id, {row.release_id for row in found.values() if row.release_id}),
        main=main,
        tested=tuple(picture for picture in main if picture.faithfulness is not None),
    )


def _refuse_other_bytes(found: Mapping[str, Row[Any]], pictures: PictureSet) -> None:
    """Splits share file names: a batch of one must not pass for another. What was never fetched has no digest to compare."""
    others = [
        label.file
        for label, digest in zip(pictures.labels, pictures.digests, strict=True)
        if found[label.file].image_sha256 not in {None, digest.hex()}
    ]
    if others:
        what = f"{len(others)} pictures in {pictures.folder} are not the bytes that the batch judged under their names"
        raise RejectedError("batch_of_other_pictures", f"{what}: {first_few(others)}. Is this the folder that was scanned?")


def _rows(engine: Engine, batch_id: UUID) -> Iterator[Row[Any]]:
    after = -1
    while True:
        with transaction(engine) as session:
            page = session.execute(OUTCOMES, {"batch_id": batch_id, "after": after, "page": PAGE}).all()
        if not page:
            return
        yield from page
        after = page[-1].ordinal


def _matched(rows: Iterator[Row[Any]], labels: Sequence[Label]) -> Mapping[str, Row[Any]]:
    """A row for every label, by its file."""
    files = {label.file for label in labels}
    by_name: dict[str, list[str]] = {}
    for file in files:
        by_name.setdefault(PurePosixPath(file).name, []).append(file)
    exact, similar = dict[str, list[Row[Any]]](), dict[str, list[Row[Any]]]()
    for row in rows:
        if row.custom_id in files:
            exact.setdefault(row.custom_id, []).append(row)
        for file in by_name.get(PurePosixPath(row.key).name, ()):
            similar.setdefault(file, []).append(row)
    candidates = {label.file: exact.get(label.file) or similar.get(label.file, []) for label in labels}
    if missing := [file for file, rows_ in candidates.items() if not rows_]:
        raise RejectedError("batch_misses_pictures", f"The batch holds nothing of {len(missing)} labelled pictures: {first_few(missing)}.")
    if twice := [file for file, rows_ in candidates.items() if len(rows_) > 1]:
        raise RejectedError("batch_ambiguous", f"The batch holds more than one item that may be each of {len(twice)}: {first_few(twice)}.")
    found = {file: row for file, (row,) in candidates.items()}
    uses = Counter(row.ordinal for row in found.values())
    if shared := [file for file, row in found.items() if uses[row.ordinal] > 1]:
        what = f"{len(shared)} labels share an item of the batch, since only their base names are there"
        raise RejectedError("batch_ambiguous", f"{what}: {first_few(shared)}. Scan the folder itself: its custom ids are the files' paths.")
    return found


def _judged(label: Label, row: Row[Any]) -> Judged:
    return Judged(
        label=label,
        kind=OutcomeKind(row.kind),
        verdict=Verdict(row.verdict) if row.verdict else None,
        p_generated=row.p_generated,
        p_generated_raw=row.p_generated_raw,
        scan_verdict=Verdict(row.scan_verdict) if row.scan_verdict else None,
        scan_p_generated=row.scan_p_generated,
        found=tuple(Box(*region[:4]) for region in row.regions),
        findings=tuple(region[4] for region in row.regions),
        explanation=row.explanation,
        size=Size(row.width, row.height) if row.width else None,
        seconds=StageSeconds(fetch=row.fetch_seconds, decode=row.decode_seconds, scan=row.scan_seconds, zoom=row.zoom_seconds),
        tokens=Tokens(
            prompt=int(row.prompt_tokens or 0),
            completion=int(row.completion_tokens or 0),
            cached=None if row.cached_tokens is None else int(row.cached_tokens),
        ),
        error=row.error_message,
        degradation=_degradation(row) if row.degradation_band else None,
        faithfulness=Faithfulness(drop=row.score_drop, control_drop=row.control_drop) if row.tested else None,
    )


def _degradation(row: Row[Any]) -> Degradation:
    return Degradation(jpeg_quality=row.jpeg_quality, blur=row.blur, rescaling=row.rescaling, border=Border(*row.border))


def _release(engine: Engine, batch_id: UUID, ids: set[str]) -> Release:
    if len(ids) != 1:
        what = f"by {len(ids)} releases: {', '.join(sorted(ids))}" if ids else "by no release at all"
        raise RejectedError("batch_releases", f"The pictures of batch {batch_id} were judged {what}. An evaluation is of one.")
    with transaction(engine) as session:
        row = session.get_one(ReleaseRow, ids.pop())
        return Release(row.name, Training(row.training), row.facts)
