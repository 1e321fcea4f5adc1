"""Where in a reply things stand: its tokens, and those of the verdict, of each sentence, and of each box. No torch."""

import json
import re
from dataclasses import dataclass

from worker.moderation.errors import RejectedError
from worker.moderation.sentences import BREAK
from worker.vision.conversation import ChatFormat

_VERDICT = re.compile(r'"verdict"\s*:\s*"|<verdict>\s*')
_EXPLANATION = re.compile(r'"explanation"\s*:\s*"((?:[^"\\]|\\.)*)"')
# As `sentences.BREAK`, in a reply that is still JSON: its line breaks may be written as escapes.
_BREAK = re.compile(r"(?<=[.!?])(?:\s|\\[nrt])+|(?:\s|\\[rt])*(?:\n|(?<!\\)\\n)(?:\s|\\[nrt])*")
_BOX = re.compile(r'"bbox_2d"\s*:\s*\[([^\]]*)\]|<\|box_start\|>([^<]*)<\|box_end\|>')


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a reply."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ReplyTokens:
    """A reply as token ids, and which characters each stands for."""

    text: str
    ids: tuple[int, ...]
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, text: str, chat: ChatFormat) -> "ReplyTokens":
        """The tokens of `text`, as the tokenizer cuts it. A model may have cut it otherwise: the log-probabilities tell."""
        ids, spans = chat.encode_spans(text)
        return cls(text, tuple(ids), tuple(Span(*span) for span in spans))

    def inside(self, span: Span) -> tuple[int, ...]:
        """Places of the tokens that share characters with `span`."""
        return tuple(place for place, token in enumerate(self.spans) if token.start < span.end and token.end > span.start)

    @property
    def verdict(self) -> int:
        """Place of the token that begins the verdict. Raises RejectedError where none begins there."""
        found = list(_VERDICT.finditer(self.text))
        begin = found[-1].end() if found else -1
        for place, token in enumerate(self.spans):
            if token.start == begin:
                return place
        raise RejectedError(
            "verdict_token_missing", "No token of the recorded reply begins its verdict: there is nothing to draw a map of."
        )


def sentence_spans(reply: str, most: int) -> tuple[Span, ...]:
    """The sentences of the explanation in a JSON reply, in order; what goes beyond `most` of them belongs to the last."""
    match = _EXPLANATION.search(reply)
    if match is None:
        return ()
    begin, end = match.span(1)
    breaks = [pause.span() for pause in _BREAK.finditer(reply, begin, end)]
    starts, stops = [begin, *(stop for _, stop in breaks)], [*(start for start, _ in breaks), end]
    spans = [Span(start, stop) for start, stop in zip(starts, stops, strict=True) if reply[start:stop].strip()]
    return tuple(spans if len(spans) <= most else [*spans[: most - 1], Span(spans[most - 1].start, spans[-1].end)])


def has_sentences(text: str) -> bool:
    """Whether a target's text is more than one."""
    return any(text[pause.end() :].strip() for pause in BREAK.finditer(text))


def said(reply: str, span: Span) -> str:
    """What stands there, for people: without the escapes of the JSON that it is in."""
    written = reply[span.start : span.end]
    try:
        return str(json.loads(f'"{written}"', strict=False))
    except ValueError:
        return written


def box_spans(reply: str) -> tuple[Span, ...]:
    """The numbers of each box in a scan's reply, in the model's own order."""
    return tuple(Span(*match.span(match.lastindex or 0)) for match in _BOX.finditer(reply))
