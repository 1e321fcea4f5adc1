"""Asks for explanations: from the file of replies when it has been paid for, else from the endpoint, within budget and pace.

What passes by itself (busy, unreachable, rate-limited) is tried again, no sooner than the endpoint says; what does not is raised and
stops the run, which can be repeated. What is wrong with one picture's reply is a kind of explanation, and the run goes on.
"""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from worker.lab.annotation.clues import CLUE_SCHEMA, Explanation, ReplyKind, read_explanation
from worker.lab.annotation.pace import Pace
from worker.lab.annotation.prompts import EXPLAINER_SYSTEM, VERSION, explainer_task, facts_in_words
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.responses import Responses, Said
from worker.lab.annotation.spending import Purse
from worker.lab.labels import Label
from worker.moderation.boxes import Size
from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError
from worker.vision.chat_endpoint import AttemptError, ChatEndpoint, Completion, OversizedReplyError, image_part, reply_format

ATTEMPTS = 6  # at one request: with the pauses between them, about half a minute
FIRST_PAUSE_SECONDS = 1.0  # doubles
LONGEST_PAUSE_SECONDS = 600.0  # an endpoint that asks for more is left alone, and the run ends
MOST_REJECTED = 5  # requests turned down with none accepted: then it is not the pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture as the explainer is shown it. `sha256` names the pixels; `original` is the oriented size of the picture itself."""

    label: Label
    pixels: Image.Image
    sha256: str
    original: Size


@dataclass(slots=True, kw_only=True)
class Explainer:
    """One model behind one endpoint."""

    endpoint: ChatEndpoint
    model: str
    recipe: Recipe
    purse: Purse
    pace: Pace
    responses: Responses
    _asking: dict[str, asyncio.Lock] = field(default_factory=dict)
    _out: set[asyncio.Task[Said]] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)  # "asked", "cached", "uncounted", and codes of what was tried again

    async def explain(self, shown: Shown, number: int) -> Explanation:
        """Explanation `number` (1 or 2) of a picture.

        Raises BudgetError, OutageError, MisconfiguredError, OSError: the run ends, and what was paid for stays.
        """
        key = self._key(shown, number)
        async with self._asking.setdefault(key, asyncio.Lock()):  # a copy of the picture waits for the reply that is under way
            said = self.responses.known(key)
            if said is None:
                said = await self._ask(key, await asyncio.to_thread(self._body, shown, number))
            else:
                self.counts["cached"] += 1
        if said.failure is not None:
            return Explanation(kind=ReplyKind(said.failure), text=said.text)
        return read_explanation(said.text, said.finish_reason, said.refusal)

    async def settle(self) -> None:
        """Returns when the reply to every request that is out is on the disk, whoever asked and was cancelled meanwhile."""
        await asyncio.gather(*self._out, return_exceptions=True)

    async def _ask(self, key: str, body: Mapping[str, Any]) -> Said:
        for attempt in range(1, ATTEMPTS + 1):
            await self.pace.wait(self.purse.most_prompt_tokens + self.purse.most_completion_tokens)
            self.purse.check(self.responses)
            try:
                said = await self._ask_through(key, body)
            except AttemptError as error:
                self.counts[error.code] += 1
                await self._wait_for(error, attempt)
            else:
                self.counts["asked"] += 1
                self.purse.audit(said.prompt_tokens, said.completion_tokens)
                return said
        raise AssertionError("the last attempt raises")

    async def _ask_through(self, key: str, body: Mapping[str, Any]) -> Said:
        """Asks once. Cancelling this does not cancel the request: it is paid for, see `settle`."""
        number = self.responses.ask(key, self.purse.most)  # before anybody else looks into the purse
        request = asyncio.create_task(self._ask_once(number, key, body))
        self._out.add(request)
        request.add_done_callback(self._out.discard)
        await asyncio.wait({request})
        return request.result()

    async def _ask_once(self, number: int, key: str, body: Mapping[str, Any]) -> Said:
        began = time.monotonic()
        try:
            completion = await self.endpoint.complete(body)
        except OversizedReplyError as error:
            return self._failed(number, key, ReplyKind.OVERSIZED, error, cost=self.purse.most)
        except RejectedError as error:
            said = self._failed(number, key, ReplyKind.REJECTED, error, cost=0.0)
            self._refuse_a_hopeless_run(error)
            return said
        except AttemptError as error:
            self.responses.lose(number, error.code, self.purse.most if error.billed else 0.0)
            raise
        except MisconfiguredError as error:
            self.responses.lose(number, error.code, 0.0)
            raise
        return self._keep(number, key, completion, time.monotonic() - began)

    def _keep(self, number: int, key: str, completion: Completion, seconds: float) -> Said:
        counted = (_count(completion.prompt_tokens), _count(completion.completion_tokens))
        if None in counted:
            self.counts["uncounted"] += 1
        self.counts["accepted"] += 1
        return self.responses.keep(
            Said(
                number=number,
                key=key,
                text=completion.text,
                finish_reason=completion.finish_reason,
                refusal=completion.refusal,
                prompt_tokens=counted[0],
                completion_tokens=counted[1],
                cost=self.purse.bill(*counted),
                seconds=seconds,
            )
        )

    def _failed(self, number: int, key: str, kind: ReplyKind, error: RejectedError, *, cost: float) -> Said:
        self.counts[kind] += 1
        said = Said(number=number, key=key, text=error.message, finish_reason="none", failure=kind.value, cost=cost)
        return self.responses.keep(said)

    def _refuse_a_hopeless_run(self, error: RejectedError) -> None:
        if self.counts[ReplyKind.REJECTED] >= MOST_REJECTED and not self.counts["accepted"]:
            raise MisconfiguredError(
                "endpoint_rejects_all",
                f"{error.message} It has turned down {MOST_REJECTED} requests and accepted none: the model may take no pictures, or no "
                "JSON schema. These pictures are on record as rejected; name another --responses file to ask for them again.",
            )

    async def _wait_for(self, error: AttemptError, attempt: int) -> None:
        pause = error.retry_after if error.retry_after is not None else FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
        if attempt == ATTEMPTS or pause > LONGEST_PAUSE_SECONDS:
            wish = f" It asks to wait {error.retry_after:,.0f} s." if error.retry_after is not None else ""
            doubt = " Is it running, and is --explainer right?" if error.code == "endpoint_unreachable" else ""
            raise OutageError(error.code, f"{error.message}{wish}{doubt} Tried {attempt} times; the same command goes on later.") from error
        self.pace.pause(pause)

    def _key(self, shown: Shown, number: int) -> str:
        named = {"at": self.endpoint.base_url, "prompts": VERSION, **self._question(shown, number), "picture": shown.sha256}
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()

    def _body(self, shown: Shown, number: int) -> dict[str, Any]:
        question = self._question(shown, number)
        if not self.recipe.text_only:
            question["messages"][-1]["content"].insert(0, image_part(shown.pixels))
        return question

    def _question(self, shown: Shown, number: int) -> dict[str, Any]:
        """The request without its picture."""
        task = explainer_task(shown.label)
        if self.recipe.text_only:
            task = f"{facts_in_words(shown.label, shown.original)} {task}"
        return {
            "model": self.model,
            "messages": [{"role": "system", "content": EXPLAINER_SYSTEM}, {"role": "user", "content": [{"type": "text", "text": task}]}],
            "max_tokens": self.purse.most_completion_tokens,
            "temperature": self.recipe.temperature,
            "seed": number,  # tells the two apart, here and in the file of replies
            "response_format": reply_format("clues", CLUE_SCHEMA),
        }


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and tokens >= 0 else None
