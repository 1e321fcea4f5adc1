"""Storage checks: whether this installation may list and read what a batch would need, before one is submitted."""

from fastapi import APIRouter

from api.describing import problems
from api.errors import problem_of
from api.schemas.storage import StorageCheck, StorageCheckResult, TargetResult
from api.security.principal import Submitter
from api.services import ApiServices, Services
from worker.intake.reference import AllowedSources, check_prefix, parse_reference
from worker.intake.storage import address
from worker.moderation.errors import RejectedError, ZoomInError

router = APIRouter(prefix="/v1/storage-checks", tags=["storage"])


@router.post("", operation_id="checkStorage", responses=problems("object_store_refused"))
async def check_storage(body: StorageCheck, principal: Submitter, services: Services) -> StorageCheckResult:  # noqa: ARG001  the scope is all
    """Try prefixes and objects: is the bucket allowed, can it be listed, can an object be read."""
    checks = await services.beside(lambda: [_try(services, target) for target in body.targets])
    return StorageCheckResult(ok=all(check.ok for check in checks), checks=checks)


def _try(services: ApiServices, target: str) -> TargetResult:
    try:
        found = _look(services, target)
    except ZoomInError as error:
        problem = problem_of(error)
        return TargetResult(target=target, ok=False, code=problem.kind.code, detail=problem.detail)
    return TargetResult(target=target, ok=True, code="ok", detail=found)


def _look(services: ApiServices, target: str) -> str:
    allowed = AllowedSources.of(services.settings)
    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    if prefix and not prefix.endswith("/"):
        reference = parse_reference(target, allowed)
        if services.storage.etag(reference.bucket, reference.key) is None:
            raise RejectedError("object_missing", f"{address(reference.bucket, reference.key)} does not exist.")
        return "The object can be read."
    check_prefix(bucket, prefix, allowed)
    first = next(services.storage.list(bucket, prefix), None)
    if first is None:
        raise RejectedError("source_empty", f"No object begins with {address(bucket, prefix)}.")
    services.storage.etag(bucket, first.key)
    return "The prefix can be listed, and its first object read."
