"""The grammar that the engine holds replies to, held here as well: what is trained is the distribution that is deployed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
import xgrammar
from torch import Tensor

from worker.vision.conversation import ChatFormat
from worker.vision.nano.wording import SEPARATORS

BITS = 32  # of a mask's word


@dataclass(frozen=True, slots=True)
class Guide:
    """One reply schema, compiled for a tokenizer."""

    grammar: xgrammar.CompiledGrammar
    vocabulary: int

    @classmethod
    def compiled(cls, schema: Mapping[str, Any], chat: ChatFormat, vocabulary: int) -> Self:
        """For replies of `schema` that end with the turn; `vocabulary` is the number of the model's logits."""
        tokens = xgrammar.TokenizerInfo.from_huggingface(chat.processor.tokenizer, vocab_size=vocabulary, stop_token_ids=[chat.end_of_turn])
        compiler = xgrammar.GrammarCompiler(tokens, max_threads=1)
        return cls(compiler.compile_json_schema(json.dumps(schema), any_whitespace=False, separators=SEPARATORS), vocabulary)

    def matchers(self, count: int) -> "Matchers":
        """For `count` replies at their beginning."""
        return Matchers([xgrammar.GrammarMatcher(self.grammar) for _ in range(count)], self.vocabulary)


class Matchers:
    """Where each of several replies stands in the grammar."""

    def __init__(self, matchers: list[xgrammar.GrammarMatcher], vocabulary: int) -> None:
        self._matchers = matchers
        self._vocabulary = vocabulary

    def masks(self) -> Tensor:
        """Which tokens may come next, as bits: replies × words (int32). All of them after a reply's end."""
        bits = xgrammar.allocate_token_bitmask(len(self._matchers), self._vocabulary)
        for row, matcher in enumerate(self._matchers):
            if not matcher.is_terminated():
                matcher.fill_next_token_bitmask(bits, row)
        return bits

    def accept(self, tokens: list[int]) -> None:
        """One token of each reply; those of ended replies are passed over."""
        for matcher, token in zip(self._matchers, tokens, strict=True):
            if not matcher.is_terminated() and not matcher.accept_token(token):
                raise AssertionError(f"token {token} was drawn against the grammar")

    def ended(self) -> list[bool]:
        """Whether each reply has ended."""
        return [matcher.is_terminated() for matcher in self._matchers]


def masked(logits: Tensor, masks: Tensor) -> Tensor:
    """`logits` (… × vocabulary), minus infinity where `masks` (… × words) has no bit."""
    bits = masks.to(logits.device)[..., None] >> torch.arange(BITS, dtype=masks.dtype, device=logits.device) & 1
    return logits.masked_fill(~bits.flatten(-2)[..., : logits.shape[-1]].bool(), -torch.inf)
