"""How fast an endpoint may be asked: requests and tokens in any minute, and no sooner than it says itself."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

MINUTE = 60.0  # seconds


@dataclass(slots=True, kw_only=True)
class Pace:
    """Limits over the last minute; None: none. Tokens are those that a request can be billed for, since the true count comes too late."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _begun: deque[tuple[float, int]] = field(default_factory=deque)
    _not_before: float = field(default=float("-inf"))
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def wait(self, tokens: int) -> None:
        """Returns when a request of so many tokens may go out; in the order of asking."""
        async with self._turn:
            while (delay := self._delay(tokens)) > 0:
                await self.sleep(delay)
            self._begun.append((self.clock(), tokens))

    def pause(self, seconds: float) -> None:
        """Lets nothing go out for so long: the endpoint asked for it."""
        self._not_before = max(self._not_before, self.clock() + seconds)

    def _delay(self, tokens: int) -> float:
        now = self.clock()
        while self._begun and self._begun[0][0] <= now - MINUTE:
            self._begun.popleft()
        return max(self._not_before - now, self._until_room(now, tokens))

    def _until_room(self, now: float, tokens: int) -> float:
        """Seconds until enough of the last minute's requests are over."""
        requests, used = len(self._begun), sum(each for _, each in self._begun)
        if self._fits(requests, used + tokens):
            return 0.0
        for begun, each in self._begun:
            requests, used = requests - 1, used - each
            if self._fits(requests, used + tokens):
                return begun + MINUTE - now
        raise AssertionError("a minute without requests has room for one")

    def _fits(self, before: int, tokens: int) -> bool:
        """Whether a request may follow on so many; one that is larger than the limit goes out alone."""
        few = self.requests_per_minute is None or before < self.requests_per_minute
        small = self.tokens_per_minute is None or tokens <= self.tokens_per_minute
        return before == 0 or (few and small)
