"""How routes describe what they can answer with, for the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from api.problems import KINDS, MEDIA_TYPE, Problem, ProblemKind

EXAMPLE_REQUEST_ID = "0198c7a00000700080000000000000ab"
PROBLEM_SCHEMA = {"$ref": "#/components/schemas/ProblemBody"}
HEADERS: Mapping[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}, "required": True}},
    405: {"Allow": {"description": "Methods of the resource", "schema": {"type": "string"}, "required": True}},
    429: {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}, "required": True}},
}

Responses = dict[int | str, dict[str, Any]]


def problems(*codes: str) -> Responses:
    """Responses of these problems, by status, each with an example."""
    by_status: dict[int, list[ProblemKind]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(KINDS[code].status, []).append(KINDS[code])
    return {status: _response(status, kinds) for status, kinds in sorted(by_status.items())}


def answers(
    status: int, description: str, *, links: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Responses:
    """A response whose body FastAPI describes; with links to follow and headers, by name and description."""
    described: dict[str, Any] = {"description": description}
    if links:
        described["links"] = dict(links)
    if headers:
        described["headers"] = {name: {"description": said, "schema": {"type": "string"}} for name, said in headers.items()}
    return {status: described}


def link(operation: str, body: Mapping[str, str] | None = None, *, seen: bool = False, **parameters: str) -> dict[str, Any]:
    """A link to an operation, its parameters and parts of its body as runtime expressions; `seen`: under the ETag of this response."""
    precondition = {"header.If-Match": "$response.header.ETag"} if seen else {}
    return {
        "operationId": operation,
        "parameters": {**parameters, **precondition},
        **({"requestBody": dict(body)} if body is not None else {}),
    }


def raw(status: int, description: str, *media_types: str) -> Responses:
    """A response that is not JSON."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types}
    return {status: {"description": description, "content": content}}


def problem_examples() -> dict[str, Any]:
    """What responses refer to: every problem as it is answered."""
    return {code: {"summary": kind.title, "value": Problem(kind, kind.meaning).body(EXAMPLE_REQUEST_ID)} for code, kind in KINDS.items()}


def _response(status: int, kinds: list[ProblemKind]) -> dict[str, Any]:
    examples = {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds}
    described: dict[str, Any] = {
        "description": " · ".join(kind.title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA, "examples": examples}},
    }
    if status in HEADERS:
        described["headers"] = HEADERS[status]
    return described
