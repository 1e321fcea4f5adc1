"""When to try again, when to let an endpoint rest, when to stop: constants with their reasons, and the arithmetic."""

import random
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

# Seconds before the second attempt and the later ones, as Standard Webhooks advises: at once for a lost packet, minutes for a
# deployment, hours for an outage, ten hours twice so that somebody has been at work in between, in every time zone. 27.6 h in all.
BACKOFF = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR)
JITTER = 0.2  # of the pause, added: what failed together must not come back together


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How patient the sender is. Tests are less so."""

    backoff: tuple[float, ...] = BACKOFF
    jitter: float = JITTER
    # An endpoint that fails gets a try per minute whatever waits for it: a million deliveries must not hammer a server that is down,
    # and one that is back is noticed within the minute.
    first_rest_seconds: float = 1.0
    longest_rest_seconds: float = MINUTE
    longest_asked_seconds: float = HOUR  # of Retry-After: an answer of ten years would be a way to lose events silently
    # Paused once it accepted nothing for three days, a long weekend's outage, and ten times, so that one delivery a week is not enough.
    pause_after_seconds: float = 3 * DAY
    pause_after_failures: int = 10
    poll_seconds: float = 0.5  # what a new event waits at most before it is seen

    @property
    def attempts(self) -> int:
        """How often a delivery is tried."""
        return len(self.backoff) + 1

    def retry_seconds(self, attempt: int, asked: float) -> float | None:
        """The pause after a failed attempt, counted from 1; None when it was the last."""
        if attempt >= self.attempts:
            return None
        pause = self.backoff[attempt - 1]
        jitter = random.uniform(0, self.jitter * pause)  # noqa: S311  no secret
        return max(pause + jitter, self.asked_seconds(asked))

    def asked_seconds(self, asked: float) -> float:
        """How long an endpoint may ask to be left alone."""
        return min(max(asked, 0.0), self.longest_asked_seconds)

    def is_dead(self, failures: int, failing_seconds: float) -> bool:
        """Whether an endpoint has failed for long enough to be paused."""
        return failures >= self.pause_after_failures and failing_seconds >= self.pause_after_seconds
