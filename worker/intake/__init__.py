"""S3 prefixes, manifests, folders and references → batches.

from worker.intake import enqueue_batch, enqueue_references
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.intake.enqueue import BatchReceipt, IntakeProgress, enqueue_batch, enqueue_references

__all__ = ["BatchReceipt", "IntakeProgress", "enqueue_batch", "enqueue_references"]


def __getattr__(name: str) -> Any:
    """Imports on first use: `worker.intake.storage` alone must not bring the database along."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from worker.intake import enqueue  # noqa: PLC0415

    return getattr(enqueue, name)
