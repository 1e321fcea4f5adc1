"""The local issuer's one page: who is invited, to be clicked. No scripts, and every text escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from worker.moderation.text import clean

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem; color: #1a1a1a; background: #fafafa }
h1 { font-size: 1.5rem; margin-bottom: .25rem } p { color: #555 } code { color: #1a1a1a }
button { display: block; width: 100%; text-align: left; font: inherit; padding: .75rem 1rem; margin: .5rem 0; cursor: pointer;
         border: 1px solid #ccc; border-radius: .5rem; background: #fff; color: inherit; overflow-wrap: anywhere }
button:hover, button:focus-visible { border-color: #2456c8; outline: 2px solid #2456c833 } small { display: block; color: #555 }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #eee } p, small { color: #aaa } code { color: #eee }
  button { background: #222; border-color: #444 } }
"""


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who can be clicked."""

    email: str
    name: str
    role: str
    tenant: str


def sign_in_page(people: Sequence[Invited], request: Mapping[str, str]) -> str:
    """HTML: one form, whose hidden fields repeat the request, and a button for each."""
    hidden = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in request.items())
    nobody = "<p>Nobody is invited yet: <code>zoomin people invite EMAIL --name NAME --role ROLE</code></p>"
    buttons = "".join(map(_button, people)) or nobody
    return _page("Sign in", f'<p>Who are you? On this machine, nobody asks for a password.</p><form method="post">{hidden}{buttons}</form>')


def refusal_page(reason: str) -> str:
    """HTML that says what is wrong with a request, to whoever was sent here with it."""
    return _page("This cannot be signed in to", f"<p>{escape(reason)}</p>")


def _button(person: Invited) -> str:
    name, email, tenant = (escape(clean(text, 200)) for text in (person.name, person.email, person.tenant))
    told = f"{email} · {escape(person.role)} of {tenant}"
    return f'<button name="email" value="{escape(person.email)}">{name}<small>{told}</small></button>'


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title} · ZoomIn</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main><h1>{title}</h1>{body}</main></body></html>'
