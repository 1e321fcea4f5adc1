"""Templates to HTML. Everything is escaped; texts of models, submitters and strangers also lose their invisible characters."""

from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from api.review_page.visitors import Visit
from worker.moderation.identifiers import item_id
from worker.moderation.release import HONESTY, Training
from worker.moderation.text import clean
from worker.store.models import DecisionRow

# Nothing but our own files, and no inline script or style: text that got past the escaping could still run and load nothing.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
SHOWN = 2_000  # characters of a stranger's text, before the page offers the rest


def page(template: str, visit: Visit | None, /, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page; without a visit, one for somebody who is not signed in."""
    return HTMLResponse(render(template, visit, **context), status_code=status, headers=HEADERS)


def render(template: str, visit: Visit | None, /, **context: Any) -> str:
    """The HTML of a template."""
    return _environment().get_template(template).render(visit=visit, **context)


def untrusted(text: str | None, limit: int = SHOWN) -> str:
    """A stranger's text on one line, without control and bidi characters, at most `limit` characters long."""
    return clean(text or "", limit)


def moment(at: datetime | None) -> Markup:
    """A time for people and for scripts; UTC, which the script turns into the reader's own."""
    if at is None:
        return Markup("–")
    return Markup('<time datetime="{}">{} UTC</time>').format(at.isoformat(), at.strftime("%Y-%m-%d %H:%M"))


def person(actor: str) -> str:
    """Who did something, as short as it stays recognisable."""
    kind, _, name = actor.partition(":")
    return f"{kind} {name[:8]}" if kind in {"person", "key"} and name else clean(actor, 40)


def item(row: DecisionRow) -> str:
    """The public id of what a decision is about."""
    return item_id(row.batch_id, row.ordinal)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api.review_page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"untrusted": untrusted, "moment": moment, "person": person, "item": item}
    environment.globals |= {"honesty": {training.value: text for training, text in HONESTY.items()}, "trained": Training.TRAINED.value}
    return environment
