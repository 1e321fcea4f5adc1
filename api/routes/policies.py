"""Policies: write versions, watch them in shadow, promote them, and see what they would change."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BeforeValidator, Field

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, plain_integer, read_cursor, write_cursor
from api.describing import answers, link, problems
from api.preconditions import IfNoneMatch, tagged, tagged_answers
from api.problems import ProblemError
from api.schemas import policies as bodies
from api.security.principal import Admin, Principal, Reader, require
from api.services import Services
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import MAX_ORDINAL
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import NAME, Action, AutomaticAction, Band, Clause, Explaining, Opening, Said
from worker.moderation.scopes import Scope
from worker.moderation.translation.languages import check_languages
from worker.store import policies as store
from worker.store import policy_reading as reading
from worker.store.backtests import START, Place, Reach, backtest
from worker.store.models.policies import VersionState
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

router = APIRouter(prefix="/v1/policies", tags=["policies"])

LISTING = "policies"
Found = TypeVar("Found")
Writer = Annotated[Principal, Depends(require(Scope.LEAD, Scope.ADMIN))]
PolicyName = Annotated[str, Path(pattern=f"^{NAME.pattern}$", description="A policy's name.", examples=["default"])]
Hours = Annotated[int, Field(ge=1, le=876_000)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="A version's number.")]
OF_VERSION: Mapping[str, Any] = {
    operation: link(operation, policy="$response.body#/policy", version="$response.body#/version")
    for operation in (
        "readPolicyVersion",
        "shadowPolicyVersion",
        "promotePolicyVersion",
        "retirePolicyVersion",
        "comparePolicyVersion",
        "backtestPolicyVersion",
    )
}
OF_POLICY: Mapping[str, Any] = {
    operation: link(operation, policy="$response.body#/name") for operation in ("readPolicy", "listPolicyVersions", "writePolicyVersion")
}


@router.get("", operation_id="listPolicies", response_model=bodies.PolicyPage, responses=problems("cursor_invalid"))
def list_policies(principal: Reader, services: Services, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    """List policies, by name."""
    after = _text(read_cursor(LISTING, cursor)) if cursor else ""
    with transaction(services.engine) as session:
        ensure_tenant(session, principal.tenant)
        found = reading.list_policies(session, principal.tenant, after=after, limit=limit + 1)
    page = [_policy(policy) for policy in found[:limit]]
    return written(bodies.PolicyPage(policies=page, next_cursor=write_cursor(LISTING, page[-1].name) if len(found) > limit else None))


@router.post(
    "",
    operation_id="createPolicy",
    status_code=201,
    responses=answers(201, "Made", links=OF_POLICY, headers={"Location": "The policy"}) | problems("policy_exists"),
)
def create_policy(body: bodies.PolicySubmitted, principal: Admin, services: Services, response: Response) -> bodies.Policy:
    """Make a policy. It routes nothing before one of its versions is promoted."""
    with transaction(services.engine) as session:
        ensure_tenant(session, principal.tenant)
        store.create_policy(session, principal.tenant, body.name, description=body.description, actor=principal.actor)
        made = reading.find_policy(session, principal.tenant, body.name)
    response.headers["Location"] = f"/v1/policies/{body.name}"
    return _policy(made)


@router.get(
    "/{policy:segment}",
    operation_id="readPolicy",
    response_model=bodies.Policy,
    responses=tagged_answers("The policy", links=OF_POLICY) | problems("not_found"),
)
def read_policy(policy: PolicyName, principal: Reader, services: Services, if_none_match: IfNoneMatch = None) -> Response:
    """See a policy, and which version decides."""
    with transaction(services.engine) as session:
        found = _found(reading.find_policy, session, principal.tenant, policy)
    return tagged(_policy(found), if_none_match)


@router.get(
    "/{policy:segment}/versions",
    operation_id="listPolicyVersions",
    response_model=bodies.VersionPage,
    responses=problems("not_found", "cursor_invalid"),
)
def list_versions(
    policy: PolicyName, principal: Reader, services: Services, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """List a policy's versions, newest first."""
    listing = f"{LISTING}/{policy}"
    before = _number(read_cursor(listing, cursor)) if cursor else None
    with transaction(services.engine) as session:
        found = _found(reading.list_versions, session, principal.tenant, policy, before=before, limit=limit + 1)
    page = [_version(version) for version in found[:limit]]
    return written(bodies.VersionPage(versions=page, next_cursor=write_cursor(listing, page[-1].version) if len(found) > limit else None))


@router.post(
    "/{policy:segment}/versions",
    operation_id="writePolicyVersion",
    status_code=201,
    responses=answers(201, "Written", links=OF_VERSION, headers={"Location": "The version"})
    | problems("not_found", "queue_missing", "band_invalid", "band_repeated", "clause_repeated", "four_eyes_invalid", "languages_invalid"),
)
def write_version(
    policy: PolicyName, body: bodies.VersionSubmitted, principal: Writer, services: Services, response: Response
) -> bodies.Version:
    """Write the next version, as a draft. Nothing is acted on automatically without `automatic`."""
    draft = _draft(body)
    with transaction(services.engine) as session:
        made = _found(store.write_version, session, principal.tenant, policy, draft, actor=principal.actor)
        found = reading.read_version(session, principal.tenant, policy, made.version)
    response.headers["Location"] = f"/v1/policies/{policy}/versions/{made.version}"
    return _version(found)


@router.get(
    "/{policy:segment}/versions/{version:segment}",
    operation_id="readPolicyVersion",
    response_model=bodies.Version,
    responses=tagged_answers("The version", links=OF_VERSION) | problems("not_found"),
)
def read_version(policy: PolicyName, version: Number, principal: Reader, services: Services, if_none_match: IfNoneMatch = None) -> Response:
    """See a version."""
    with transaction(services.engine) as session:
        found = _found(reading.read_version, session, principal.tenant, policy, version)
    return tagged(_version(found), if_none_match)


@router.get(
    "/{policy:segment}/versions/{version:segment}/comparison",
    operation_id="comparePolicyVersion",
    responses=problems("not_found"),
)
def compare_version(policy: PolicyName, version: Number, principal: Reader, services: Services) -> bodies.Comparison:
    """See what a version would change: its routes beside the live ones, over the outcomes it was watched or back-tested on."""
    with transaction(services.engine) as session:
        changes = _found(reading.compare, session, principal.tenant, policy, version)
    return bodies.Comparison(
        outcomes=sum(change.outcomes for change in changes),
        changed=sum(change.outcomes for change in changes if change.live is not change.shadow),
        changes=[bodies.Change(live=c.live.value, shadow=c.shadow.value, outcomes=c.outcomes) for c in changes],
    )


@router.post(
    "/{policy:segment}/versions/{version:segment}:shadow",
    operation_id="shadowPolicyVersion",
    responses=answers(200, "Watched", links=OF_VERSION) | problems("not_found", "version_state"),
)
def shadow_version(policy: PolicyName, version: Number, principal: Writer, services: Services) -> bodies.Version:
    """Watch a version: it routes beside the live one from now on, and nobody acts on it."""
    return _moved(services, principal, (policy, version), VersionState.SHADOW)


@router.post(
    "/{policy:segment}/versions/{version:segment}:promote",
    operation_id="promotePolicyVersion",
    responses=answers(200, "Live", links=OF_VERSION) | problems("not_found", "version_state"),
)
def promote_version(policy: PolicyName, version: Number, principal: Admin, services: Services) -> bodies.Version:
    """Let a version decide from now on. The one before is retired, and can be promoted again."""
    return _moved(services, principal, (policy, version), VersionState.LIVE)


@router.post(
    "/{policy:segment}/versions/{version:segment}:retire",
    operation_id="retirePolicyVersion",
    responses=answers(200, "No longer watched", links=OF_VERSION) | problems("not_found", "version_state"),
)
def retire_version(policy: PolicyName, version: Number, principal: Writer, services: Services) -> bodies.Version:
    """Watch a version in shadow no longer."""
    return _moved(services, principal, (policy, version), VersionState.RETIRED)


@router.post(
    "/{policy:segment}/versions/{version:segment}:backtest",
    operation_id="backtestPolicyVersion",
    responses=answers(200, "A stretch is done") | problems("not_found", "cursor_invalid"),
)
def backtest_version(
    policy: PolicyName,
    version: Number,
    principal: Writer,
    services: Services,
    batch_id: Annotated[UUID | None, Query(description="Only this batch's, whatever its policy.")] = None,
    since_hours: Annotated[
        Hours | None, BeforeValidator(plain_integer), Query(description="Only what was judged within so many hours.")
    ] = None,
    cursor: Cursor = None,
) -> bodies.Backtested:
    """Route with a version what was judged before it, in shadow: a stretch per call. Nobody acts on it; twice is the same as once."""
    listing = f"backtest:{policy}@{version}:{batch_id}:{since_hours}"
    after = _place(read_cursor(listing, cursor)) if cursor else START
    with transaction(services.engine) as session:
        done = _found(
            backtest, session, principal.tenant, policy, version, reach=Reach(batch_id, since_hours), after=after, actor=principal.actor
        )
    next_cursor = write_cursor(listing, [str(done.after.batch_id), done.after.ordinal]) if done.after else None
    return bodies.Backtested(outcomes=done.outcomes, routed=done.routed, next_cursor=next_cursor)


def _moved(services: Services, principal: Principal, which: tuple[str, int], state: VersionState) -> bodies.Version:
    with transaction(services.engine) as session:
        _found(store.move_version, session, principal.tenant, *which, state, actor=principal.actor)
        return _version(reading.read_version(session, principal.tenant, *which))


def _found(look: Callable[..., Found], *arguments: Any, **named: Any) -> Found:
    """What `look` gives. A policy named in the path is a missing resource, where one named in a body is a fault of the body."""
    try:
        return look(*arguments, **named)
    except RejectedError as error:
        if error.code in {"policy_missing", "version_missing"}:
            raise ProblemError("not_found") from None
        raise


def _draft(body: bodies.VersionSubmitted) -> store.Draft:
    bands = {Said(Verdict(band.verdict), band.agreed): Band(band.pass_below, band.flag_from) for band in body.bands}
    if len(bands) < len(body.bands):
        raise ProblemError("band_repeated")
    said = body.automatic
    automatic = None if said is None else AutomaticAction(Action(said.action), said.opted_in_by, said.reason)
    check_languages(body.languages)
    opening = Opening(
        flag_queue=body.flag_queue,
        disagreement_queue=body.disagreement_queue,
        qa_share=body.qa_share,
        double_share=body.double_share,
    )
    explaining = Explaining(
        faithfulness_share=body.faithfulness_share,
        least_drop=body.least_drop,
        attention_share=body.attention_share,
        languages=tuple(body.languages),
    )
    return store.Draft(
        bands=bands,
        queue=body.queue,
        automatic=automatic,
        clauses=tuple(Clause(clause.id, clause.title, clause.reason) for clause in body.clauses),
        reason_required=body.reason_required,
        four_eyes=frozenset(map(Action, body.four_eyes)),
        note=body.note,
        opening=opening,
        explaining=explaining,
        accuracy_floor=body.accuracy_floor,
    )


def _policy(found: reading.Policy) -> bodies.Policy:
    return bodies.Policy(name=found.name, description=found.description, live=found.live, created_at=found.created_at)


def _version(found: reading.WrittenVersion) -> bodies.Version:
    version = found.version
    return bodies.Version(
        policy=version.policy,
        version=version.version,
        state=found.state.value,
        bands=[
            bodies.Band(verdict=said.verdict.value, agreed=said.agreed, pass_below=band.pass_below, flag_from=band.flag_from)
            for said, band in sorted(version.bands.items(), key=lambda pair: (pair[0].verdict, not pair[0].agreed))
        ],
        queue=version.queue,
        flag_queue=version.opening.flag_queue,
        disagreement_queue=version.opening.disagreement_queue,
        qa_share=version.opening.qa_share,
        double_share=version.opening.double_share,
        faithfulness_share=version.explaining.faithfulness_share,
        least_drop=version.explaining.least_drop,
        attention_share=version.explaining.attention_share,
        languages=list(version.explaining.languages),
        accuracy_floor=version.accuracy_floor,
        automatic=_automatic(version.automatic),
        clauses=[bodies.Clause(id=clause.id, title=clause.title, reason=clause.reason) for clause in version.clauses],
        reason_required=version.reason_required,
        four_eyes=sorted(action.value for action in version.four_eyes),
        note=found.note,
        created_by=found.created_by,
        created_at=found.created_at,
        in_force_since=found.in_force_since,
    )


def _automatic(opt_in: AutomaticAction | None) -> bodies.Automatic | None:
    if opt_in is None:
        return None
    return bodies.Automatic(action=opt_in.action.value, opted_in_by=opt_in.opted_in_by, reason=opt_in.reason)


def _text(position: Any) -> str:
    if not isinstance(position, str) or not NAME.fullmatch(position):
        raise ProblemError("cursor_invalid")
    return position


def _place(position: Any) -> Place:
    match position:
        case [str() as batch_id, int() as ordinal] if -1 <= ordinal <= MAX_ORDINAL:
            try:
                return Place(UUID(batch_id), ordinal)
            except ValueError:
                pass
    raise ProblemError("cursor_invalid")


def _number(position: Any) -> int:
    if not isinstance(position, int) or not 1 <= position < 2**31:
        raise ProblemError("cursor_invalid")
    return position
