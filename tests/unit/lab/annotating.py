"""What tests of the annotation pipeline share: a scripted explainer behind a fake transport, and pictures as it is shown them."""

import json
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from worker.lab.annotation.clues import Clue
from worker.lab.annotation.endpoint import explainer_endpoint
from worker.lab.annotation.explaining import Explainer, Shown
from worker.lab.annotation.pace import Pace
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.responses import Responses
from worker.lab.annotation.spending import Prices, Purse
from worker.lab.labels import Label
from worker.moderation.boxes import Size
from worker.moderation.outcomes import Verdict

URL = "https://models.example/v1"
HAND = Clue(where="left hand", what="It has six fingers.")
SIGN = Clue(where="street sign", what="The letters melt into each other.")
WINDOW = Clue(where="window frame", what="The bars end in the air.")
PRICES = Prices(prompt=10.0, completion=20.0)

Respond = Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


class Clock:
    """A time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def said(*clues: Clue) -> str:
    """An explanation, as it is asked for."""
    return json.dumps({"clues": [{"where": clue.where, "what": clue.what} for clue in clues], "explanation": "So it is."})


def completion(text: str | None, *, usage: dict[str, Any] | None = None, **choice: Any) -> httpx.Response:
    """A chat completion that says so."""
    message = {"content": text, **{name: value for name, value in choice.items() if name == "refusal"}}
    body = {"choices": [{"message": message, "finish_reason": choice.get("finish_reason", "stop")}]}
    return httpx.Response(200, json={**body, "usage": usage or {"prompt_tokens": 1000, "completion_tokens": 100}})


def in_turn(*responses: httpx.Response | Exception) -> Respond:
    """Answers with one after the other."""
    left = iter(responses)

    def respond(_: httpx.Request) -> httpx.Response:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return respond


def an_explainer(
    respond: Respond, responses: Responses, *, budget: float | None = None, clock: Clock | None = None, recipe: Recipe | None = None
) -> Explainer:
    """An explainer whose endpoint answers so, at 10 and 20 a million tokens; a request costs at most 0.054."""
    clock = clock or Clock()
    return Explainer(
        endpoint=explainer_endpoint(URL, "secret", httpx.MockTransport(respond)),
        model="gpt-4o",
        recipe=recipe or Recipe(),
        purse=Purse(prices=PRICES, budget=budget, most_prompt_tokens=4000, most_completion_tokens=700),
        pace=Pace(clock=clock, sleep=clock.sleep),
        responses=responses,
    )


def a_label(file: str = "a.png", verdict: Verdict = Verdict.GENERATED) -> Label:
    """A picture's."""
    generator = "flux" if verdict is Verdict.GENERATED else None
    return Label(file=file, label=verdict, regions=(), source=file, generator=generator, control=False)


def a_picture(file: str = "a.png") -> Shown:
    """A picture, as an explainer is shown it."""
    return Shown(label=a_label(file), pixels=Image.new("RGB", (56, 56)), sha256=f"sha of {file}", original=Size(56, 56))


def draw(folder: Path, names: Sequence[str], side: int = 224) -> None:
    """Pictures that can be told apart, in `folder`: the same bytes at any time. Pillow's own noise depends on what was drawn before."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        noise = np.random.default_rng(number).integers(0, 256, (side, side), dtype=np.uint8)
        Image.fromarray(noise).convert("RGB").save(folder / name)
