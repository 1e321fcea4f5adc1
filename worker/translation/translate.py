"""Passages in, verified passages out. Whatever does not pass is asked for once more, and then refused: nothing unverified leaves here."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worker.moderation.errors import RejectedError, ZoomInError
from worker.moderation.translation.languages import Language
from worker.moderation.translation.passages import Passage, Problem
from worker.moderation.translation.protection import Piece, prose, put_together, restore, take_apart
from worker.moderation.translation.verification import verify
from worker.translation.asking import UnreadableTranslationError, compose, read
from worker.translation.detection import check_known, judge_language
from worker.translation.text_model import MAY_COST, TextModel, TextReply

ATTEMPTS = 2
RETRY_TEMPERATURE = 0.4  # a greedy retry would repeat what was refused, word for word
LONGEST = 12_000  # characters of all passages; models say less of an image


@dataclass(frozen=True, slots=True)
class Billed:
    """What a request counts for, and the codes of why its reply is not kept: of what is wrong with it, it costs no less."""

    prompt_tokens: int
    completion_tokens: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """Verified passages. `sentences` passed every rule; `detected` is what the language test read, None for too few letters."""

    passages: tuple[Passage, ...]
    sentences: int
    detected: str | None


async def translate(passages: Sequence[Passage], language: Language, model: TextModel, *, billed: Callable[[Billed], None]) -> Translated:
    """The passages in the language.

    Raises RejectedError (language_unsupported, text_too_long, translation_refused, translation_unreadable, translation_unverified), and
    whatever the model raises.
    """
    check_known(language)
    if sum(len(passage.text) for passage in passages) > LONGEST:
        raise RejectedError("text_too_long", f"The texts have more than {LONGEST} characters together: they are not translated.")
    pieces = take_apart(passages)
    spoken = [piece for piece in pieces if piece.has_words]
    if not spoken:
        return Translated(passages=tuple(passages), sentences=0, detected=None)
    problems: tuple[Problem, ...] = ()
    for attempt in range(ATTEMPTS):
        request = compose(spoken, language, temperature=RETRY_TEMPERATURE if attempt else 0.0)
        try:
            reply = await model.reply(request)
        except ZoomInError as error:
            if error.code in MAY_COST:
                billed(Billed(request.most_prompt_tokens, request.most_completion_tokens, (error.code,)))
            raise
        said, detected, problems = examine(reply, spoken, language)
        billed(Billed(reply.prompt_tokens, reply.completion_tokens, tuple(dict.fromkeys(problem.code for problem in problems))))
        if not problems:
            translations = iter(said)
            sentences = [next(translations) if piece.has_words else piece.original for piece in pieces]
            return Translated(passages=put_together(passages, pieces, sentences, language), sentences=len(spoken), detected=detected)
    raise _refusal(problems, language, model)


def examine(reply: TextReply, pieces: Sequence[Piece], language: Language) -> tuple[list[str], str | None, tuple[Problem, ...]]:
    """The restored sentences of a reply, the language they read as, and every reason not to keep them."""
    try:
        said = read(reply, pieces)
    except UnreadableTranslationError as error:
        return [], None, (error.problem,)
    problems: list[Problem] = []
    sentences = []
    for piece, sentence in zip(pieces, said, strict=True):
        restored, unknown = restore(piece, unicodedata.normalize("NFC", sentence))
        problems += [*unknown, *verify(piece.original, restored, language)]
        sentences.append(restored)
    if problems:
        return sentences, None, tuple(problems)
    detected = judge_language([prose(sentence) for sentence in sentences], language)
    return sentences, detected.language, detected.problems


def _refusal(problems: Sequence[Problem], language: Language, model: TextModel) -> RejectedError:
    first = problems[0]
    if first.code == "refused":
        return RejectedError("translation_refused", f"{model.name} refuses to translate this explanation.")
    if first.code in {"not_json", "sentences_differ", "cut_off"} and len(problems) == 1:
        return RejectedError(
            "translation_unreadable", f"{model.name} gave no translation that can be read, {ATTEMPTS} times. {first.message}"
        )
    others = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return RejectedError(
        "translation_unverified",
        f"What {model.name} gave as {language.name} is not kept, {ATTEMPTS} times: {first.message} [{first.code}]{others}",
    )
