"""Search: images by what the model said of them, what was decided, by whom and when; and what was found as a file."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator, Field
from sqlalchemy import Engine

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, plain_integer, read_cursor, write_cursor
from api.describing import answers, link, problems, raw
from api.problems import ProblemError
from api.reviewing import Watcher, claimant_of
from api.schemas.search import SearchPage
from api.searching import Wanted, describe_found
from api.security.principal import Principal
from api.services import ApiServices, Services
from worker.exports.found_csv import found_csv_pieces
from worker.exports.jsonl import json_line
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import MAX_ORDINAL
from worker.moderation.search import Filter
from worker.store.exporting import note_search_export
from worker.store.review_tasks import Claimant
from worker.store.search import Key, Place, bounded, find
from worker.store.search_results import Found, read_found
from worker.store.session import transaction

router = APIRouter(prefix="/v1/search", tags=["search"])

MOST_EXPORTED = 20_000  # items of an export: more is a batch's results, or a query of analysts
PAGE = 200  # items per query of an export
FIRST = {
    operation: link(operation, item_id="$response.body#/items/0/id")
    for operation in ("readItem", "listRegions", "listItemDecisions", "readImage")
}
OF_A_FILTER = ("filter_invalid", "words_too_common", "search_too_broad")
Format = Literal["jsonl", "csv"]
MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}
STREAM_ANSWER = "A line per item, until the connection ends properly: one that breaks off was not all."
MostItems = Annotated[int, Field(ge=1, le=MOST_EXPORTED)]


@router.get(
    "",
    operation_id="searchItems",
    response_model=SearchPage,
    responses=answers(200, "A page of items", links=FIRST) | problems("cursor_invalid", *OF_A_FILTER),
)
async def search(wanted: Wanted, principal: Watcher, services: Services, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    """Search the tenant's judged images by their newest outcomes, newest batches first.

    By reviewer, only answers are found that you may see: nobody's to a task that you may still judge. What would take longer than five
    seconds is refused: name a batch, fewer days, or rarer words.
    """
    listing = f"search?{wanted.query()}"
    before = place_of(read_cursor(listing, cursor)) if cursor else None
    found, more = await services.searching(partial(look, services.engine, claimant_of(principal), wanted, before, limit))
    following = write_cursor(listing, [found[-1].batch_id.hex, found[-1].ordinal]) if more else None
    return written(SearchPage(items=[describe_found(item) for item in found], filter=wanted.query(), next_cursor=following))


@router.get(
    "/export",
    operation_id="exportSearch",
    response_class=StreamingResponse,
    responses=raw(200, STREAM_ANSWER, *MEDIA_TYPES.values()) | problems(*OF_A_FILTER, "export_too_large"),
)
async def export_search(
    wanted: Wanted,
    principal: Watcher,
    services: Services,
    form: Annotated[Format, Query(alias="format", description="jsonl, or csv for spreadsheets.")] = "jsonl",
    limit: Annotated[MostItems | None, BeforeValidator(plain_integer), Query(description="The newest so many alone.")] = None,
) -> StreamingResponse:
    """Stream what the filter finds as it is shown, at most 20,000 items. Each export is an audit event."""
    keys = await services.searching(partial(_keys, services, principal, wanted, form, limit))
    found = _found(services.engine, claimant_of(principal), wanted, keys)
    pieces = found_csv_pieces(found) if form == "csv" else (json_line(describe_found(item).model_dump(mode="json")) for item in found)
    name = f'attachment; filename="search.{form}"'
    return StreamingResponse(_blocks(pieces), media_type=MEDIA_TYPES[form], headers={"Content-Disposition": name})


def look(engine: Engine, claimant: Claimant, wanted: Filter, before: Place | None, limit: int) -> tuple[list[Found], bool]:
    """A page of what the filter finds, and whether there is more."""
    with transaction(engine) as session, bounded(session):
        keys = find(session, claimant, wanted, before=before, limit=limit + 1)
        return read_found(session, claimant, wanted, keys[:limit]), len(keys) > limit


def place_of(position: Any) -> Place:
    """The place that a cursor holds. Raises ProblemError `cursor_invalid`."""
    match position:
        case [str(batch), int(ordinal)] if 0 <= ordinal <= MAX_ORDINAL:
            try:
                return Place(UUID(hex=batch), ordinal)
            except ValueError:
                raise ProblemError("cursor_invalid") from None
        case _:
            raise ProblemError("cursor_invalid")


def _keys(services: ApiServices, principal: Principal, wanted: Filter, form: str, limit: int | None) -> list[Key]:
    """All that is exported, at one instant: so the trail says how many, and what is too much is said before anything is sent."""
    with transaction(services.engine) as session:
        with bounded(session):
            keys = find(session, claimant_of(principal), wanted, before=None, limit=limit or MOST_EXPORTED + 1)
        if len(keys) > MOST_EXPORTED:
            raise RejectedError("export_too_large", f"The filter finds more than {MOST_EXPORTED:,} items. Narrow it, or set a limit.")
        note_search_export(session, principal.tenant, wanted, form=form, items=len(keys), actor=principal.actor)
    return keys


def _found(engine: Engine, claimant: Claimant, wanted: Filter, keys: Sequence[Key]) -> Iterator[Found]:
    for begin in range(0, len(keys), PAGE):
        with transaction(engine) as session:
            page = read_found(session, claimant, wanted, keys[begin : begin + PAGE])
        yield from page


def _blocks(pieces: Iterable[str]) -> Iterator[bytes]:
    return (piece.encode() for piece in pieces)
