"""Every problem that the API can answer with, in one table; PROBLEMS.md is made from it. Bodies follow RFC 9457."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:zoomin:problem:"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One row. `retryable`: the same request may succeed later. `speaks`: the error's own message is about the caller's input alone."""

    code: str
    status: int
    title: str
    meaning: str
    retryable: bool = False
    speaks: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request. `pointer` is `#/…` into the body, `?name` of the query, or a header's name."""

    pointer: str
    code: str
    detail: str
    line: int | None = None

    def body(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail, **({"line": self.line} if self.line is not None else {})}


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Iterable[Fault] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(code)
        self.kind = KINDS[code]
        self.detail = detail or self.kind.meaning
        self.errors = tuple(errors)
        self.headers = dict(headers)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with what this request adds to its kind."""

    kind: ProblemKind
    detail: str
    errors: tuple[Fault, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: ProblemError) -> "Problem":
        """What an error asks for."""
        return cls(error.kind, error.detail, error.errors, error.headers)

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON object of RFC 9457."""
        return {
            "type": TYPE_PREFIX + self.kind.code,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "code": self.kind.code,
            "request_id": request_id,
            "retryable": self.kind.retryable,
            "errors": [fault.body() for fault in self.errors],
        }


_K = ProblemKind
TABLE = (
    # The request as a whole
    _K("json_invalid", 400, "Not JSON", "The body is not JSON in UTF-8; NaN and Infinity are not JSON either."),
    _K("json_duplicate_key", 400, "Duplicate key", "An object in the body names a key twice."),
    _K("json_too_deep", 400, "Nested too deeply", "The body is nested more than 32 levels deep."),
    _K("json_number_range", 400, "Number out of range", "A number in the body does not fit 64 bits."),
    _K("json_text_invalid", 400, "Unusable text", "A text in the body has a NUL character or half of a surrogate pair in it."),
    _K("cursor_invalid", 400, "Bad cursor", "The cursor is not one that this listing has given out. Begin again without it."),
    _K(
        "idempotency_key_missing",
        400,
        "Idempotency-Key missing",
        "Submissions need an Idempotency-Key header: a retry must not submit twice.",
    ),
    _K("idempotency_key_invalid", 400, "Bad Idempotency-Key", "An Idempotency-Key has 1 to 200 visible ASCII characters."),
    _K("request_malformed", 400, "Malformed request", "The request could not be read."),
    _K(
        "unauthenticated",
        401,
        "No valid key or session",
        "Send `Authorization: Bearer zk_…` with a key that is valid, or sign in at /v1/sign-in. Nothing else is told of bad ones.",
    ),
    _K("scope_missing", 403, "Scope missing", "The key or the role lacks the scope that this operation needs.", speaks=True),
    _K("not_found", 404, "Not found", "There is no such resource, or it is not this tenant's."),
    _K("method_not_allowed", 405, "Method not allowed", "This resource does not know the method; the Allow header names those it does."),
    _K("body_timeout", 408, "Body too slow", "The body did not arrive in time.", retryable=True),
    _K(
        "body_too_large",
        413,
        "Body too large",
        "The body is larger than ZOOMIN_API_BODY_MAX_BYTES. Put a manifest in S3, and submit its address.",
    ),
    _K("media_type_unsupported", 415, "Unsupported media type", "Bodies are application/json in UTF-8, not compressed."),
    _K("request_invalid", 422, "Invalid request", "The request does not fit its description; `errors` says where."),
    _K("precondition_missing", 428, "If-Match missing", "This change needs an If-Match header with the ETag that was seen."),
    _K("precondition_failed", 412, "Changed since", "The resource is no longer as it was at that ETag. Look at it again."),
    _K("rate_limited", 429, "Too many requests", "The key or person has used up the rate. Retry-After says when to go on.", retryable=True),
    # Signing in
    _K(
        "csrf_refused",
        403,
        "Not from a page of ours",
        "What changes something under a session's cookie needs X-CSRF-Token with the value from /v1/me, and must come from our own origin.",
    ),
    _K(
        "sign_in_expired",
        400,
        "Sign-in expired",
        "The sign-in took longer than ten minutes, was finished before, or began in another browser. Begin again at /v1/sign-in.",
    ),
    _K(
        "sign_in_refused",
        403,
        "Sign-in refused",
        "The identity provider did not let you in, or its word did not hold. Begin again at /v1/sign-in.",
    ),
    _K("not_invited", 403, "Not invited", "This account is not invited here, or its e-mail address is not verified. Ask an administrator."),
    _K(
        "sign_in_unavailable",
        503,
        "Sign-in unavailable",
        "The identity provider does not answer as it should. Try again; operators find the reason in the log.",
        retryable=True,
    ),
    _K("sign_in_off", 404, "No sign-in", "People cannot sign in here: the operator has named no identity provider (ZOOMIN_OIDC_ISSUER)."),
    _K("person_exists", 409, "Invited already", "Somebody with this e-mail address is invited already.", speaks=True),
    _K("person_disabled", 409, "Disabled", "This person is disabled for good. Invite them again.", speaks=True),
    # Submitting
    _K("idempotency_key_reused", 422, "Idempotency-Key reused", "The Idempotency-Key was used before, for another request."),
    _K(
        "idempotency_key_in_flight",
        409,
        "Idempotency-Key in flight",
        "A request with this Idempotency-Key is being handled at this moment.",
        retryable=True,
    ),
    _K(
        "source_unknown",
        422,
        "Not a source",
        "A source is an s3:// prefix that ends in /, or a manifest: .jsonl or .csv, with or without .gz.",
        speaks=True,
    ),
    _K("policy_missing", 422, "No such policy", "The tenant has no policy of that name.", speaks=True),
    _K("policy_not_live", 422, "Policy not live", "The policy has no live version yet.", speaks=True),
    _K("source_empty", 422, "Nothing there", "No object begins with the prefix.", speaks=True),
    _K("object_missing", 422, "Object missing", "The object does not exist.", speaks=True),
    _K("bucket_missing", 422, "Bucket missing", "The bucket does not exist.", speaks=True),
    _K("bucket_not_allowed", 422, "Bucket not allowed", "Sources may be in the buckets that this installation allows only.", speaks=True),
    _K("prefix_refused", 422, "Prefix too wide", "A prefix of the bucket of uploads names the folder of one submission.", speaks=True),
    _K("bucket_denied", 422, "Bucket denied", "This installation may not list or read the bucket: its operator must be let in."),
    _K("key_invalid", 422, "Bad key", "The key is not one that S3 and everything between can carry.", speaks=True),
    _K("reference_invalid", 422, "Bad reference", "The text is no reference to an object.", speaks=True),
    _K("scheme_refused", 422, "Not an S3 reference", "References begin with s3://.", speaks=True),
    _K("userinfo_refused", 422, "Credentials in a reference", "A reference has a user name or a password in it.", speaks=True),
    _K("credential_in_key", 422, "Credentials in a reference", "A reference has a signature in it.", speaks=True),
    _K("host_not_allowed", 422, "Host not allowed", "A URL names another host than the configured object store.", speaks=True),
    _K("version_invalid", 422, "Bad version", "The version id cannot be one of S3's.", speaks=True),
    # Acting
    _K("batch_unfinished", 409, "Batch not finished", "Rescans wait until the batch has finished or is cancelled.", speaks=True),
    _K("batch_not_paused", 409, "Batch not paused", "Only a paused batch can be resumed.", speaks=True),
    _K("nothing_to_rescan", 409, "Nothing to rescan", "The batch has no such items.", speaks=True),
    # Policies
    _K("policy_exists", 409, "Policy exists", "The tenant has a policy of that name already.", speaks=True),
    _K("version_state", 409, "Wrong state", "The version's state does not allow it.", speaks=True),
    _K("queue_missing", 422, "No such queue", "The tenant has no review queue of that name.", speaks=True),
    _K("band_invalid", 422, "Band out of order", "A band needs 0 ≤ pass_below ≤ flag_from ≤ 1.", speaks=True),
    _K("band_repeated", 422, "Band repeated", "There is one band for each verdict and agreement."),
    _K("clause_repeated", 422, "Clause repeated", "Each clause of a version has an id of its own.", speaks=True),
    _K("languages_invalid", 422, "Languages not usable", "Each language stands once, as a tag such as de or pt-BR.", speaks=True),
    _K(
        "four_eyes_invalid",
        422,
        "Alone and not alone",
        "What takes two people to decide cannot be the automatic action, too.",
        speaks=True,
    ),
    # Review
    _K("queue_exists", 409, "Queue exists", "The tenant has a review queue of that name already.", speaks=True),
    _K("claims_too_many", 409, "Too many claims", "A reviewer holds three tasks at most. Answer one, or give it back.", speaks=True),
    _K("claim_lost", 409, "Claim lost", "The claim has ended or is somebody else's. Claim a task again.", speaks=True),
    _K(
        "task_unavailable",
        409,
        "Task not to be had",
        "The task is finished, held, for somebody else or for leads, or has no free slot for this reviewer.",
    ),
    _K("task_finished", 409, "Task finished", "The task is done or withdrawn: there is nothing left to do.", speaks=True),
    _K("task_state", 409, "Wrong state", "The task's state does not allow it.", speaks=True),
    _K(
        "reviewer_barred",
        409,
        "Reviewer barred",
        "The reviewer can never be offered the task: had a part in it, or skipped it.",
        speaks=True,
    ),
    _K("review_exists", 409, "Answered before", "Another answer was given under this claim before.", speaks=True),
    _K("undo_too_late", 409, "Too late to undo", "The answer has taken effect, or the task was held or reassigned meanwhile.", speaks=True),
    _K("clause_required", 422, "Clause missing", "The policy version asks which of its clauses the answer rests on.", speaks=True),
    _K("clause_unknown", 422, "No such clause", "The policy version that routed the image has no such clause.", speaks=True),
    _K("reason_required", 422, "Reason missing", "The policy version asks for a reason, in a sentence.", speaks=True),
    _K("task_alone", 409, "Answered by itself", "Only a task that a policy opened is answered together with its duplicates.", speaks=True),
    _K("lead_unsure", 422, "Lead unsure", "An escalated task is settled with real or generated.", speaks=True),
    _K("region_unknown", 422, "No such region", "The decided outcome has no region at that position.", speaks=True),
    _K("region_judgement_invalid", 422, "Bad judgement", "A box is judged once, and lies in the image.", speaks=True),
    _K("golden_box_invalid", 422, "Bad box", "A known box lies in the image; there are 64 at most.", speaks=True),
    _K("image_missing", 404, "Image missing", "The item's image was never sent to the model at that revision, or is no longer kept."),
    # Looks
    _K("look_unseen", 409, "Nothing to look at", "The model was sent no image at that revision.", speaks=True),
    _K("look_trace_ended", 409, "Traces ended", "A look continues the recorded scan, which is no longer kept: judge the image again."),
    _K("look_box_invalid", 422, "Bad box", "A look needs a box inside the image, at least one pixel a side.", speaks=True),
    _K("looks_full", 409, "Looked often enough", "You have looked at this outcome as often as anybody may.", speaks=True),
    _K("looks_waiting", 409, "Looks wait", "Your last looks are not answered yet. Ask again then.", retryable=True, speaks=True),
    _K(
        "coverage_missing",
        404,
        "Nothing on what was seen",
        "Nothing is recorded of what was seen: no verdict at that revision, erased, or judged before there was a record.",
    ),
    _K("no_verdict", 409, "No verdict", "The item has no verdict to explain: it was not judged yet, or could not be."),
    _K("attention_maps_waiting", 409, "Maps wait", "As many wait as a tenant may have. Ask again then.", retryable=True, speaks=True),
    _K("attention_map_missing", 404, "Map missing", "The maps explain nothing of that name, or are no longer kept."),
    # Translations
    _K("language_unsupported", 422, "Language unknown", "A translation into it could not be verified here.", speaks=True),
    _K("language_not_offered", 422, "Language not offered", "The item's policy does not list the language.", speaks=True),
    _K("translations_waiting", 409, "Translations wait", "As many wait as a tenant may have. Ask again then.", retryable=True, speaks=True),
    _K("explanation_missing", 409, "Nothing to translate", "The model said nothing of the image at that revision."),
    # Search
    _K("filter_invalid", 422, "Bad filter", "Nothing can be searched for like that.", speaks=True),
    _K("words_too_common", 422, "Words too common", "Every one of the words is too common to be searched for.", speaks=True),
    _K("search_too_broad", 422, "Search too broad", "The search took too long. Name a batch, fewer days, or rarer words.", speaks=True),
    _K(
        "export_too_large", 422, "Too much to export", "The filter finds more than an export holds. Narrow it, or set a limit.", speaks=True
    ),
    _K("filter_not_yours", 403, "Somebody else's", "A shared filter is removed by its owner, or by a lead.", speaks=True),
    _K("filters_full", 409, "Too many filters", "No more filters can be saved or shared. Remove one first.", speaks=True),
    _K("filter_name_taken", 409, "Name taken", "Somebody shares a filter of that name already.", speaks=True),
    # Decisions, appeals, statements of reasons
    _K("decision_missing", 422, "No such decision", "The tenant has no decision of that id.", speaks=True),
    _K("decision_superseded", 409, "Decision superseded", "Another decision stands than the one you saw. Look again.", speaks=True),
    _K("decision_conflict", 409, "Decided meanwhile", "Another decision came at the same moment. Look again.", retryable=True),
    _K("item_not_judged", 409, "Nothing to decide on", "The item has no outcome yet, or was cancelled.", speaks=True),
    _K(
        "four_eyes_required",
        409,
        "Takes two people",
        "The policy version asks for two people before this action. Answer the open task, or contest the decision that stands.",
        speaks=True,
    ),
    _K("appeal_open", 409, "Appeal open", "An appeal against the decision is open: decide that.", speaks=True),
    _K("appeal_exists", 409, "Contested before", "A decision can be contested once.", speaks=True),
    _K("appeal_too_late", 409, "Too late", "The time to contest the decision is over.", speaks=True),
    _K("appeal_conflict", 409, "Contested meanwhile", "Another appeal against it came at the same moment. Try again.", retryable=True),
    _K("decision_unrestricting", 409, "Nothing to state", "The decision leaves the image as it is.", speaks=True),
    _K("statement_exists", 409, "Statement exists", "The decision has a statement already.", speaks=True),
    _K("statement_state", 409, "Wrong state", "The statement's state does not allow it.", speaks=True),
    _K(
        "statement_uncertain",
        409,
        "Being sent",
        "The statement is being sent, or may have arrived. The next attempt tells; try again then.",
        retryable=True,
    ),
    _K("statement_invalid", 422, "Statement breaks rules", "The transparency database would not take it; `errors` says why."),
    _K("signature_missing", 422, "Signature missing", "A key is no person: `signed_by` must say who answers for the statement."),
    # Webhooks
    _K("webhook_endpoint_disabled", 409, "Endpoint disabled", "The endpoint is disabled for good. Add a new one.", speaks=True),
    _K("webhook_endpoints_full", 409, "Too many endpoints", "A tenant may have 20 webhook endpoints. Remove one first.", speaks=True),
    _K("webhook_target_malformed", 422, "Not a target", "A webhook's URL is not one that can be sent to.", speaks=True),
    _K("webhook_target_insecure", 422, "Insecure target", "A webhook's URL must begin with https://.", speaks=True),
    _K("webhook_target_port", 422, "Port refused", "A webhook's port must be 443, or 1024 and above.", speaks=True),
    _K("webhook_target_private", 422, "Private target", "A webhook's host must be an address of the public Internet.", speaks=True),
    _K("webhook_target_unresolved", 422, "Target unknown", "The host of a webhook's URL has no address.", speaks=True),
    # Erasing and holding
    _K(
        "item_erased",
        410,
        "Erased",
        "The image was erased: neither its crops nor anything that describes it is left, and it is not judged again.",
    ),
    _K("item_held", 409, "Under a legal hold", "A legal hold stands on the item or on its batch: release it first.", speaks=True),
    _K("item_contested", 409, "Appeal open", "An appeal about the image is open: decide it first.", speaks=True),
    _K("crop_missing", 404, "Crop missing", "The region has no crop, or it is no longer kept."),
    _K("request_rejected", 422, "Request rejected", "The request cannot be fulfilled."),
    # The service
    _K("internal_error", 500, "Internal error", "A fault of ours. The request id leads operators to its record."),
    _K("image_damaged", 500, "Image damaged", "The stored image is not the one that was recorded: it is not shown."),
    _K("attention_map_damaged", 500, "Map damaged", "The stored map is not the one that was recorded: it is not shown."),
    _K("crop_damaged", 500, "Crop damaged", "The stored crop is not the one that was recorded: it is not shown."),
    _K("database_unavailable", 503, "Temporarily unavailable", "The database does not answer. Try again.", retryable=True),
    _K("object_store_unavailable", 503, "Temporarily unavailable", "The object store does not answer. Try again.", retryable=True),
    _K("object_store_refused", 503, "Object store refuses", "The object store refuses this installation: its operator must act."),
    _K("temporarily_unavailable", 503, "Temporarily unavailable", "A service is away. Try again.", retryable=True),
    _K("misconfigured", 503, "Misconfigured", "This installation is not configured for it: its operator must act."),
)
KINDS: Mapping[str, ProblemKind] = MappingProxyType({kind.code: kind for kind in TABLE})

# Codes of worker.moderation.errors under other names here. What neither these nor the table know becomes one of the generic kinds.
RENAMED = MappingProxyType(
    {
        "batch_missing": "not_found",
        "item_missing": "not_found",
        "item_id_malformed": "not_found",
        "hold_missing": "not_found",
        "golden_missing": "not_found",
        "region_missing": "not_found",
        "job_missing": "not_found",
        "attention_map_unknown": "not_found",
        "region_id_malformed": "not_found",
        "look_missing": "not_found",
        "task_missing": "not_found",
        "review_missing": "not_found",
        "task_changed": "precondition_failed",
        "queue_changed": "precondition_failed",
        "filter_missing": "not_found",
        "appeal_missing": "not_found",
        "statement_missing": "not_found",
        "person_missing": "not_found",
        "webhook_endpoint_missing": "not_found",
        "webhook_delivery_missing": "not_found",
        "event_missing": "not_found",
        "event_id_malformed": "not_found",
        "audit_event_missing": "not_found",
        "audit_seal_missing": "not_found",
        "idempotency_conflict": "idempotency_key_reused",
        "object_incomplete": "object_store_unavailable",
        "credentials_missing": "object_store_refused",
    }
)


def markdown() -> str:
    """PROBLEMS.md."""
    rows = [
        f"| `{kind.code}` | {kind.status} | {'yes' if kind.retryable else 'no'} | {kind.title} | {kind.meaning} |"
        for kind in sorted(TABLE, key=lambda kind: (kind.status, kind.code))
    ]
    head = (
        "# Problems\n\n"
        "Every error the API returns, as `application/problem+json` (RFC 9457). Made from `api/problems.py` by\n"
        "`python -m api.documents`; do not edit.\n\n"
        "| code | status | retryable | title | meaning |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"
