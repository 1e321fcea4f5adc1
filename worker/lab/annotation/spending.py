"""What requests cost, and the budget that no request may break: the most that one can cost is set aside before it goes out."""

from dataclasses import dataclass

from worker.lab.annotation.responses import Responses
from worker.moderation.errors import MisconfiguredError, TransientError

MILLION = 1_000_000


class BudgetError(TransientError):
    """The next request might break the budget: nothing more is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Per million tokens, in whatever currency the budget is."""

    prompt: float = 0.0
    completion: float = 0.0

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Of one request."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Prices, a budget over everything in the file of replies, and the most tokens that one request may be billed for."""

    prices: Prices
    budget: float | None
    most_prompt_tokens: int
    most_completion_tokens: int

    @property
    def most(self) -> float:
        """What one request can cost, unless the endpoint bills more than it was told."""
        return self.prices.cost(self.most_prompt_tokens, self.most_completion_tokens)

    def check(self, responses: Responses) -> None:
        """Returns when one more request fits the budget, whatever those that are out will cost. Raises BudgetError."""
        if self.budget is not None and responses.committed + self.most > self.budget:
            raise BudgetError(
                "budget_reached",
                f"The next request may cost {self.most:.4f}, and {responses.committed:.4f} of the budget of {self.budget:g} are spent or "
                "set aside: nothing more is asked. Repeat the command with a larger --budget to go on.",
            )

    def bill(self, prompt_tokens: int | None, completion_tokens: int | None) -> float:
        """The cost of a request whose tokens the endpoint counted; at its most where it did not."""
        if prompt_tokens is None or completion_tokens is None:
            return self.most
        return self.prices.cost(prompt_tokens, completion_tokens)

    def audit(self, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        """Returns when a bill is one that was reckoned with. Raises MisconfiguredError `endpoint_overbills`: stop, before it does again."""
        over_prompt = prompt_tokens is not None and prompt_tokens > self.most_prompt_tokens
        if over_prompt or (completion_tokens is not None and completion_tokens > self.most_completion_tokens):
            raise MisconfiguredError(
                "endpoint_overbills",
                f"The endpoint bills {prompt_tokens} prompt and {completion_tokens} completion tokens for one request; at most "
                f"{self.most_prompt_tokens} (--request-tokens) and {self.most_completion_tokens} (what the reply is limited to) were "
                "reckoned with. The run stops here, its reply is kept and counted. If the bill is right, raise --request-tokens.",
            )
