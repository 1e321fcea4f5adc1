"""Errors, named for what the caller does next.

ZoomInError
├── RejectedError       this input can never work: record it, do not retry
├── TransientError      may work later: leave the item unfinished, try again
│   └── OutageError     a service that every item needs is away: wait, and hold it against no item
│       └── BusyError   Postgres is there; a lock or a statement took too long, or two met in a deadlock: go on with something else
├── MisconfiguredError  an operator must act: pause the batch, or refuse to start
├── FencedError         the lease is somebody else's now: discard the work
└── EngineDiedError     the inference engine is gone: exit, let the supervisor restart

Vendor exceptions stop at the border: botocore's in `intake.storage`, redis's in `queue`, vLLM's in `vision`.
Messages reach people. They name the item and the remedy, and carry neither secrets nor tracebacks.
"""


class ZoomInError(Exception):
    """Base of all errors a caller is meant to meet. `code` is stable and machine-readable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type["ZoomInError"], tuple[str, str]]:
        """Pickles with both arguments, since errors cross from the decode children."""
        return type(self), (self.code, self.message)


class RejectedError(ZoomInError):
    """This input can never work."""


class TransientError(ZoomInError):
    """May work later."""


class OutageError(TransientError):
    """A service that every item needs is away."""


class BusyError(OutageError):
    """Others were in the way of this very work."""


class MisconfiguredError(ZoomInError):
    """An operator must act."""


class FencedError(ZoomInError):
    """The lease was lost."""


class EngineDiedError(ZoomInError):
    """The inference engine is gone."""
