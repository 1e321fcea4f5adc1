"""A conversation as an engine takes it: the chat template's text, and the images in order."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from worker.vision.model import ImagePart, Turn


def images(turns: Sequence[Turn]) -> list[ImagePart]:
    """The images, in the order in which they stand in the conversation."""
    return [part for turn in turns for part in turn.parts if isinstance(part, ImagePart)]


def control_token_breaker(tokens: Iterable[str]) -> Callable[[str], str]:
    """A function that breaks control tokens (`<|im_end|>`…) in a text, so that what a model wrote cannot end a turn or insert an image."""
    pattern = re.compile("|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True)))
    return lambda text: pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)


def messages(turns: Sequence[Turn], without_control_tokens: Callable[[str], str]) -> list[dict[str, Any]]:
    """The turns as chat templates of transformers read them."""
    return [
        {
            "role": turn.role,
            "content": [
                {"type": "image"} if isinstance(part, ImagePart) else {"type": "text", "text": without_control_tokens(part)}
                for part in turn.parts
            ],
        }
        for turn in turns
    ]
