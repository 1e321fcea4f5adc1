"""What a key or a person may do. Scopes do not imply one another: a key holds exactly what it was given."""

from enum import StrEnum


class Scope(StrEnum):
    """A right within a tenant."""

    SUBMIT = "submit"  # batches, items, cancelling, rescans, storage checks
    READ = "read"  # batches, items, results, regions, crops, traces
    REVIEW = "review"  # claim and decide review tasks; read what they show
    LEAD = "lead"  # queues, reassignment, policies in shadow
    AUDIT = "audit"  # audit events, seals
    ADMIN = "admin"  # policies live, webhook endpoints, metrics
