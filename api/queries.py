"""Query strings as strictly as bodies: what a route does not know, or is told twice, is refused instead of passed over."""

from fastapi import Request

from api.problems import Fault, ProblemError


async def plain_query(request: Request) -> None:
    """Raises ProblemError `request_invalid` for unknown and repeated parameters."""
    if not request.url.query:
        return
    dependant = getattr(request.scope.get("route"), "dependant", None)
    if any(inner.call is foreign_query for inner in getattr(dependant, "dependencies", ())):
        return
    known = _names(dependant) if dependant is not None else set()
    seen: set[str] = set()
    faults = []
    for name, _ in request.query_params.multi_items():
        if name not in known:
            faults.append(Fault(f"?{name[:100]}", "query_parameter_unknown", "There is no such parameter."))
        elif name in seen:
            faults.append(Fault(f"?{name}", "query_parameter_repeated", "The parameter may be given once."))
        seen.add(name)
    if faults:
        raise ProblemError("request_invalid", errors=faults[:100])


async def foreign_query() -> None:
    """Marks a route whose query others write, who add what they like."""


def _names(dependant: object) -> set[str]:
    names = {str(parameter.alias) for parameter in getattr(dependant, "query_params", ())}
    for inner in getattr(dependant, "dependencies", ()):
        names |= _names(inner)
    return names
