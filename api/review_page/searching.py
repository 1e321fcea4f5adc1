"""`/review/search`: a form whose address is the filter, what it finds, and the filters that people keep."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from starlette.responses import HTMLResponse

from api.cursors import read_cursor, write_cursor
from api.queries import foreign_query
from api.review_page.rendering import HEADERS, page, render
from api.review_page.search_view import PICTURES, SearchView, in_words, view_found
from api.review_page.visitors import MayRead, Visit, Visitor
from api.reviewing import Watcher, claimant_of
from api.routes.search import Format, export_search, look, place_of
from api.searching import Wanted
from api.services import ApiServices, Services
from worker.moderation.errors import RejectedError
from worker.moderation.search import Filter, read_filter
from worker.store import saved_filters
from worker.store.models import SavedFilterRow
from worker.store.session import transaction

router = APIRouter(prefix="/review/search", include_in_schema=False, dependencies=[MayRead])

PAGE = 25  # images: three screens of a desk


@router.get("", response_class=HTMLResponse, dependencies=[Depends(foreign_query)])  # forms send fields that are empty
async def see_search(request: Request, visit: Visitor, services: Services) -> HTMLResponse:
    """The form, what it finds, and what is wrong with it when it cannot be searched for."""
    asked = request.query_params.multi_items()
    typed = dict(asked)
    pictures, cursor = typed.pop(PICTURES, "") != "", typed.pop("cursor", "")
    kept = await services.on_database(partial(_kept, services, visit))
    try:
        wanted = read_filter((name, value) for name, value in asked if name not in (PICTURES, "cursor"))
        view = await _search(services, visit, SearchView(typed=typed, pictures=pictures, wanted=wanted, continued=bool(cursor)), cursor)
    except RejectedError as error:
        view = SearchView(typed=typed, pictures=pictures, error=in_words(error.message))
    return page("search.html", visit, status=422 if view.error else 200, view=view, **_saved(kept, visit))


@router.get("/filters", response_class=HTMLResponse)
def see_filters(visit: Visitor, services: Services) -> HTMLResponse:
    """The list of saved filters alone, after it changed."""
    return HTMLResponse(render("saved_filters.html", visit, **_saved(_kept(services, visit), visit)), headers=HEADERS)


@router.get("/export", response_class=StreamingResponse)
async def export(
    wanted: Wanted, principal: Watcher, services: Services, form: Annotated[Format, Query(alias="format")]
) -> StreamingResponse:
    """As `GET /v1/search/export`; what goes wrong is said by a page."""
    return await export_search(wanted, principal, services, form)


async def _search(services: ApiServices, visit: Visit, view: SearchView, cursor: str) -> SearchView:
    wanted = view.wanted or Filter()
    listing = f"{visit.path}?{wanted.query()}"
    before = place_of(read_cursor(listing, cursor)) if cursor else None
    found, more = await services.searching(partial(look, services.engine, claimant_of(visit.principal), wanted, before, PAGE))
    following = write_cursor(listing, [found[-1].batch_id.hex, found[-1].ordinal]) if more else None
    return SearchView(
        typed=view.typed,
        pictures=view.pictures,
        wanted=wanted,
        found=[view_found(one) for one in found],
        following=following,
        continued=view.continued,
    )


def _kept(services: ApiServices, visit: Visit) -> list[SavedFilterRow]:
    with transaction(services.engine) as session:
        return saved_filters.list_filters(session, claimant_of(visit.principal))


def _saved(kept: list[SavedFilterRow], visit: Visit) -> Mapping[str, object]:
    return {"saved": kept, "shares": visit.may("review", "lead", "admin"), "leads": visit.may("lead")}
