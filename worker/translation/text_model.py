"""The protocol between translating and whoever answers: texts in, one text out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

SPARE_PROMPT_TOKENS = 512  # of chat templates and schemas, beyond one token per byte that was sent
SPARE_REPLY_TOKENS = 64  # of what ends a reply
# Errors after which a request may be billed, though nothing came of it.
MAY_COST = frozenset(
    {"endpoint_too_slow", "endpoint_broke_off", "endpoint_reply_malformed", "endpoint_reply_too_large", "endpoint_overbills"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """One request. The reply must be JSON of `reply_schema`."""

    system: str
    user: str
    reply_schema: Mapping[str, Any]
    max_tokens: int
    temperature: float = 0.0

    @property
    def byte_count(self) -> int:
        """Of all that is sent: no tokenizer makes more tokens than bytes."""
        return len(self.system.encode()) + len(self.user.encode()) + len(repr(self.reply_schema).encode())

    @property
    def most_prompt_tokens(self) -> int:
        """That can have been sent."""
        return self.byte_count + SPARE_PROMPT_TOKENS

    @property
    def most_completion_tokens(self) -> int:
        """That can have been received."""
        return self.max_tokens + SPARE_REPLY_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReply:
    """One reply. Nothing about it can be trusted."""

    text: str
    finish_reason: str  # "stop" | "length" | "content_filter" | …
    prompt_tokens: int
    completion_tokens: int
    refused: bool = False  # the endpoint said so itself


class TextModel(Protocol):
    """Answers requests. `name` says who, for those who read what it said."""

    @property
    def name(self) -> str:
        """Model, and where it runs."""
        ...

    async def reply(self, request: TextRequest) -> TextReply:
        """One reply. Raises TransientError, OutageError (tell nobody off, wait), RejectedError, MisconfiguredError; see MAY_COST."""
        ...
