"""A conversation as its checkpoint wants it: the chat template, tokenised. Serving and training both go through here."""

import re
from collections.abc import Sequence
from typing import Any, Self

from worker.moderation.errors import MisconfiguredError
from worker.vision.checkpoint import Checkpoint
from worker.vision.model import ImagePart, Turn

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f]")


class ChatFormat:
    """A checkpoint's chat template and tokenizer."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor  # transformers' own: image resizer and tokenizer
        self._tokenizer = processor.tokenizer
        control_tokens = sorted(self._tokenizer.get_added_vocab(), key=len, reverse=True)
        self._control_tokens = re.compile("|".join(map(re.escape, control_tokens)))

    @classmethod
    def load(cls, checkpoint: Checkpoint) -> Self:
        """Raises MisconfiguredError when the processor does not load, or resizes to another multiple than boxes are read for."""
        from transformers import AutoProcessor  # noqa: PLC0415  seconds to import

        try:
            processor = AutoProcessor.from_pretrained(checkpoint.path, local_files_only=True)  # type: ignore[no-untyped-call]
            factor = processor.image_processor.patch_size * processor.image_processor.merge_size
        except (OSError, ValueError, RuntimeError, ImportError, TypeError, KeyError, AttributeError) as error:
            raise MisconfiguredError("model_processor", f"{checkpoint.path}: the processor does not load: {first_line(error)}") from error
        if factor != checkpoint.convention.resize_factor:
            raise MisconfiguredError(
                "model_processor",
                f"{checkpoint.path}: its processor resizes to multiples of {factor}, but boxes of this architecture are read for "
                f"{checkpoint.convention.resize_factor}.",
            )
        return cls(processor)

    @property
    def image_token(self) -> int:
        """The id that stands for an image, or, widened, for each of its tokens."""
        return self._id("<|image_pad|>")

    @property
    def end_of_turn(self) -> int:
        """The id that ends a reply."""
        return self._id("<|im_end|>")

    def encode(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of the conversation, each image as one placeholder, up to where the assistant begins."""
        messages = [{"role": turn.role, "content": [self._content(part) for part in turn.parts]} for turn in turns]
        return self.encode_text(self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def encode_text(self, text: str) -> list[int]:
        """Token ids of `text`, control tokens included, nothing added."""
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def encode_spans(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of `text`, and which of its characters, [start, end), each stands for."""
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return list(encoded["input_ids"]), [(int(start), int(end)) for start, end in encoded["offset_mapping"]]

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of a reply, without control tokens."""
        return printable(self._tokenizer.decode(list(token_ids), skip_special_tokens=True))

    def _id(self, token: str) -> int:
        return int(self._tokenizer.convert_tokens_to_ids(token))

    def _content(self, part: str | ImagePart) -> dict[str, str]:
        """One part as chat templates read it. A control token in a text is broken: what a model wrote must not end a turn."""
        if isinstance(part, ImagePart):
            return {"type": "image"}
        return {"type": "text", "text": self._control_tokens.sub(lambda match: f"{match[0][0]} {match[0][1:]}", part)}


def images(turns: Sequence[Turn]) -> list[ImagePart]:
    """The images, in the order in which they stand in the conversation."""
    return [part for turn in turns for part in turn.parts if isinstance(part, ImagePart)]


def printable(reply: str) -> str:
    """A reply with raw control characters as spaces: xgrammar lets them into bounded strings, where JSON and Postgres refuse them."""
    return CONTROL_CHARACTERS.sub(" ", reply)


def first_line(error: BaseException) -> str:
    """What a vendor's exception says, short enough for a person."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
