"""The OpenAPI document: FastAPI's own, with the problems that every operation shares, the key, and what each scope opens."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.describing import problem_examples, problems
from api.schemas.base import ProblemBody
from api.security.authentication import OPEN_PATHS
from api.security.principal import Requirement
from api.security.sessions import CSRF_HEADER, SESSION

DESCRIPTION = """\
Batch moderation of AI-generated images: submit references to images in S3, follow, read verdicts with boxes and evidence.

Keys are sent as `Authorization: Bearer zk_…` and made by `zoomin keys create`. People sign in at `/v1/sign-in` and have a session's cookie;
what changes something is then sent with `X-CSRF-Token` from `/v1/me`. Every error is an `application/problem+json` of RFC 9457
with a stable `code`; api/PROBLEMS.md lists all of them. Cursors are opaque. Unknown fields and parameters are refused."""
KEY, COOKIE, CSRF = "key", "session", "csrf"
SCHEMES = {
    KEY: {"type": "http", "scheme": "bearer", "bearerFormat": "zk_<prefix>_<secret>"},
    COOKIE: {
        "type": "apiKey",
        "in": "cookie",
        "name": f"__Host-{SESSION}",
        "description": f"Of people who are signed in; `{SESSION}` on a loopback address without TLS",
    },
    CSRF: {"type": "apiKey", "in": "header", "name": CSRF_HEADER, "description": "`csrf_token` of /v1/me"},
}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
OF_EVERY_KEYED = ("unauthenticated", "scope_missing", "rate_limited", "internal_error", "database_unavailable")
OF_EVERY_BODY = (
    "json_invalid",
    "json_duplicate_key",
    "json_too_deep",
    "json_number_range",
    "json_text_invalid",
    "body_timeout",
    "body_too_large",
    "media_type_unsupported",
)
OF_PARAMETERS = ("request_invalid",)
OF_STORAGE = ("object_store_unavailable",)
MODELS = "#/components/schemas/{model}"


class Described(FastAPI):
    """An application with this document, which is made when it is first asked for: half a second that no start need wait for."""

    def openapi(self) -> dict[str, Any]:
        """The document, always the same one."""
        if self.openapi_schema is None:
            self.openapi_schema = document(self)
        return self.openapi_schema


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application's routes."""
    made = get_openapi(
        title="ZoomIn",
        version=app.version,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        separate_input_output_schemas=True,
    )
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemBody.model_json_schema(ref_template=MODELS)
    schemas.update(problem.pop("$defs"))
    schemas["ProblemBody"] = problem
    made["components"]["examples"] = problem_examples()
    made["components"]["securitySchemes"] = SCHEMES
    for route in routes_of(app):
        for method in route.methods or ():
            _complete(route, made["paths"][route.path_format][method.lower()])
    return made


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Every route that is described."""
    return [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]


def scopes_of(route: APIRoute) -> tuple[str, ...]:
    """The scopes that open a route; empty where none is asked for."""
    found = [inner.call for inner in route.dependant.dependencies if isinstance(inner.call, Requirement)]
    return tuple(scope.value for requirement in found for scope in requirement.any_of)


def _complete(route: APIRoute, operation: dict[str, Any]) -> None:
    codes: list[str] = []
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    if route.path_format not in OPEN_PATHS:
        unsafe = bool((route.methods or set()) & UNSAFE)
        operation["security"] = [{KEY: []}, {COOKIE: [], CSRF: []} if unsafe else {COOKIE: []}]
        codes += (*OF_EVERY_KEYED, *(("csrf_refused",) if unsafe else ()))
        if scopes := scopes_of(route):
            operation["description"] = (
                f"{operation.get('description', '')}\n\nScope: {' or '.join(f'`{scope}`' for scope in scopes)}.".strip()
            )
    codes += OF_PARAMETERS
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    if (route.methods or set()) & UNSAFE:
        codes += OF_EVERY_BODY
    codes += OF_STORAGE if "storage" in str(route.tags) else ()
    for status, response in problems(*codes).items():
        _add(responses, str(status), response)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Parameters are texts: an optional one is left out, and never null."""
    forms = [form for form in schema.get("anyOf", ()) if form != {"type": "null"}]
    if len(forms) != 1:
        return schema
    return {**forms[0], **{name: said for name, said in schema.items() if name != "anyOf"}}


def _add(responses: dict[str, Any], status: str, response: dict[str, Any]) -> None:
    """A problem's response beside those of the same status that the route has named."""
    present = responses.setdefault(status, response)
    if present is response:
        return
    for media_type, content in response["content"].items():
        mine = present.setdefault("content", {}).setdefault(media_type, content)
        mine.setdefault("examples", {}).update(content["examples"])
    present["description"] = " · ".join(dict.fromkeys([*present["description"].split(" · "), *response["description"].split(" · ")]))
