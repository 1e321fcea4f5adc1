"""The piece of a page that shows an explanation in other languages, the original beside it."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from api.cursors import Revision
from api.finding import found
from api.paths import ItemId
from api.review_page.rendering import HEADERS, render
from api.review_page.translation_view import view_translations
from api.review_page.visitors import MayRead, Visitor
from api.services import Services
from api.translating import Wanted, overview
from worker.moderation.identifiers import parse_item_id
from worker.store.items import check_item
from worker.store.session import transaction

router = APIRouter(prefix="/review/items", include_in_schema=False, dependencies=[MayRead])


@router.get("/{item_id:segment}/translations", response_class=HTMLResponse)
def see_translations(item_id: ItemId, visit: Visitor, services: Services, revision: Revision = None) -> HTMLResponse:
    """The languages that are offered, and the translations there are."""
    batch_id, ordinal = parse_item_id(item_id)
    principal = visit.principal
    wanted = Wanted(tenant=principal.tenant, actor=principal.actor, batch_id=batch_id, ordinal=ordinal, revision=revision)
    with transaction(services.engine) as session:
        found(check_item, session, principal.tenant, batch_id, ordinal)
        translations, offers = view_translations(overview(session, wanted))
        html = render("explaining/translations.html", visit, item_id=item_id, translations=translations, offers=offers)
    return HTMLResponse(html, headers=HEADERS)
