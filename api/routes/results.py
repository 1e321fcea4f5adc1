"""What became of a batch: items page by page, results and row errors as streams."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator, Field

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, Revision, plain_integer, read_cursor, write_cursor
from api.describing import answers, link, problems, raw
from api.paths import BatchId
from api.problems import ProblemError
from api.routes.items import describe
from api.schemas.items import ItemPage, ItemState
from api.security.principal import Reader
from api.services import Services
from worker.exports.csv import csv_pieces
from worker.exports.jsonl import json_line, jsonl_pieces
from worker.exports.labelstudio import labelstudio_pieces
from worker.moderation.identifiers import MAX_ORDINAL
from worker.store.batches import count_accepted, find_batch
from worker.store.exporting import note_errors_export, note_results_export
from worker.store.items import read_items
from worker.store.results import PAGE, ItemResult, RowError, stream_results, stream_row_errors
from worker.store.session import transaction

router = APIRouter(prefix="/v1/batches/{batch_id:segment}", tags=["batches"])

JSON_LINES = "application/jsonl"
STREAM_ANSWER = "A line or a task per item, until the connection ends properly: one that breaks off was not all."
FIRST = {
    "item": link("readItem", item_id="$response.body#/items/0/id"),
    "regions": link("listRegions", item_id="$response.body#/items/0/id"),
}
Format = Literal["jsonl", "csv", "labelstudio"]
MostItems = Annotated[int, Field(ge=1, le=MAX_ORDINAL)]


@dataclass(frozen=True, slots=True)
class Form:
    """A format that is streamed: items in, pieces of text out, in constant memory. COCO wants all images before all boxes: not here."""

    media_type: str
    pieces: Callable[[Iterable[ItemResult]], Iterator[str]]


FORMS: Mapping[Format, Form] = {
    "jsonl": Form(JSON_LINES, jsonl_pieces),
    "csv": Form("text/csv", csv_pieces),
    "labelstudio": Form("application/json", labelstudio_pieces),
}
EXPORTED = raw(200, STREAM_ANSWER, *(form.media_type for form in FORMS.values()))
EXPORTED[200]["content"][FORMS["labelstudio"].media_type] = {"schema": {"type": "array", "items": {"type": "object"}}}


@router.get(
    "/items",
    operation_id="listItems",
    response_model=ItemPage,
    responses=answers(200, "A page of items", links=FIRST) | problems("not_found", "cursor_invalid"),
)
def list_items(
    batch_id: BatchId,
    principal: Reader,
    services: Services,
    state: Annotated[ItemState | None, Query(description="Only items in this state.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List a batch's items in the order of its source, each with its newest outcome."""
    listing = f"items:{batch_id}:{state}"
    after = _position(listing, cursor) if cursor else -1
    with transaction(services.engine) as session:
        accepted = count_accepted(session, batch_id, principal.tenant)
        page = read_items(session, batch_id, accepted=accepted, after=after, limit=limit, state=state)
    next_cursor = None if page.after is None else write_cursor(listing, page.after)
    return written(ItemPage(items=[describe(item) for item in page.items], next_cursor=next_cursor))


@router.get(
    "/results",
    operation_id="exportResults",
    response_class=StreamingResponse,
    responses=EXPORTED | problems("not_found"),
)
def export_results(
    batch_id: BatchId,
    principal: Reader,
    services: Services,
    revision: Revision = None,
    form: Annotated[
        Format, Query(alias="format", description="jsonl, csv for spreadsheets, or labelstudio: tasks to import there.")
    ] = "jsonl",
    limit: Annotated[MostItems | None, BeforeValidator(plain_integer), Query(description="Stop after so many items.")] = None,
) -> StreamingResponse:
    """Stream every item with its newest outcome, or that of one revision."""
    with transaction(services.engine) as session:
        batch = find_batch(session, batch_id, tenant_id=principal.tenant)
        note_results_export(session, batch, form=form, revision=revision, limit=limit, actor=principal.actor)
    found = islice(stream_results(services.engine, batch_id, revision), limit)
    return _stream(FORMS[form].pieces(found), FORMS[form].media_type)


@router.get(
    "/errors",
    operation_id="exportRowErrors",
    response_class=StreamingResponse,
    responses=raw(200, STREAM_ANSWER, JSON_LINES) | problems("not_found"),
)
def export_row_errors(batch_id: BatchId, principal: Reader, services: Services) -> StreamingResponse:
    """Stream the rows that were refused as JSON Lines: line, code, message."""
    with transaction(services.engine) as session:
        note_errors_export(session, find_batch(session, batch_id, tenant_id=principal.tenant), actor=principal.actor)
    return _stream(map(_error_line, stream_row_errors(services.engine, batch_id)), JSON_LINES)


def _stream(pieces: Iterable[str], media_type: str) -> StreamingResponse:
    return StreamingResponse(_blocks(iter(pieces)), media_type=media_type)


def _blocks(pieces: Iterator[str]) -> Iterator[bytes]:
    """A page of lines at a time: a line at a time would be a thread switch each."""
    while block := "".join(islice(pieces, PAGE)):
        yield block.encode()


def _error_line(error: RowError) -> str:
    return json_line({"line": error.line, "code": error.code, "message": error.message})


def _position(listing: str, cursor: str) -> int:
    position = read_cursor(listing, cursor)
    if not isinstance(position, int) or not -1 <= position <= MAX_ORDINAL:
        raise ProblemError("cursor_invalid")
    return position
