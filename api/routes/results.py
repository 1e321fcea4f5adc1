"""What became of a batch: items page by page, results and row errors as streams of JSON Lines."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, Revision, read_cursor, write_cursor
from api.describing import answers, link, problems, raw
from api.paths import BatchId
from api.problems import ProblemError
from api.routes.items import describe
from api.schemas.items import ItemPage, ItemState
from api.security.principal import Principal, Reader
from api.services import Services
from worker.exports.jsonl import json_line, result_object
from worker.moderation.identifiers import MAX_ORDINAL
from worker.store import audit
from worker.store.batches import count_accepted, find_batch
from worker.store.items import read_items
from worker.store.results import PAGE, RowError, stream_results, stream_row_errors
from worker.store.session import transaction

router = APIRouter(prefix="/v1/batches/{batch_id:segment}", tags=["batches"])

JSON_LINES = "application/jsonl"
LINES_ANSWER = "One JSON object per line, until the connection ends properly: one that breaks off was not all."
FIRST = {
    "item": link("readItem", item_id="$response.body#/items/0/id"),
    "regions": link("listRegions", item_id="$response.body#/items/0/id"),
}
Found = TypeVar("Found")


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
    responses=raw(200, LINES_ANSWER, JSON_LINES) | problems("not_found"),
)
def export_results(batch_id: BatchId, principal: Reader, services: Services, revision: Revision = None) -> StreamingResponse:
    """Stream every item with its newest outcome, or that of one revision, as JSON Lines."""
    _note(services, principal, batch_id, "results.exported", revision)
    return _lines(stream_results(services.engine, batch_id, revision), result_object)


@router.get(
    "/errors",
    operation_id="exportRowErrors",
    response_class=StreamingResponse,
    responses=raw(200, LINES_ANSWER, JSON_LINES) | problems("not_found"),
)
def export_row_errors(batch_id: BatchId, principal: Reader, services: Services) -> StreamingResponse:
    """Stream the rows that were refused as JSON Lines: line, code, message."""
    _note(services, principal, batch_id, "errors.exported")
    return _lines(stream_row_errors(services.engine, batch_id), _error_object)


def _note(services: Services, principal: Principal, batch_id: UUID, action: str, revision: int | None = None) -> None:
    """An export is an event. Raises RejectedError `batch_missing`."""
    with transaction(services.engine) as session:
        find_batch(session, batch_id, tenant_id=principal.tenant)
        audit.record(session, actor=principal.actor, action=action, batch_id=batch_id, revision=revision)


def _lines(found: Iterable[Found], as_object: Callable[[Found], Any]) -> StreamingResponse:
    return StreamingResponse(_blocks(iter(found), as_object), media_type=JSON_LINES)


def _blocks(found: Iterator[Found], as_object: Callable[[Found], Any]) -> Iterator[bytes]:
    """A page of lines at a time: a line at a time would be a thread switch each."""
    while block := "".join(json_line(as_object(one)) for one in islice(found, PAGE)):
        yield block.encode()


def _error_object(error: RowError) -> dict[str, Any]:
    return {"line": error.line, "code": error.code, "message": error.message}


def _position(listing: str, cursor: str) -> int:
    position = read_cursor(listing, cursor)
    if not isinstance(position, int) or not -1 <= position <= MAX_ORDINAL:
        raise ProblemError("cursor_invalid")
    return position
