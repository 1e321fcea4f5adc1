"""Routers, one module per noun, listed in `api.app`.

What each can rely on, and owes:

- A key or a person's session was checked before (`api.security`), the latter with its CSRF token: depend on
  `require(Scope.…)` for the principal, and bound every query by `principal.tenant`.
- Plain `def` handlers run on the database's threads and use `services.engine`; what waits for S3 goes through `services.beside`.
- Raise ProblemError, or let the errors of `worker.moderation.errors` pass; name the codes in `responses=problems(…)`.
- Another tenant's resource is a missing one. Path parameters are `{name:segment}`. Bodies derive from `api.schemas.base`.
"""
