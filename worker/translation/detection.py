"""Which language a translation is in: py3langid, a model of 139 languages that needs nothing but its own file.

Short texts are hard. All sentences are therefore judged together, and each that is long enough only against English: what was left as it
was. Where there are too few letters for either, the script and the comparison with the original are all the test there is.
"""

import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from worker.moderation.errors import RejectedError
from worker.moderation.translation.languages import SOURCE, Language
from worker.moderation.translation.passages import Problem

ENOUGH_TOGETHER = 40  # letters, from which the best of all 139 must be the language
ENOUGH_AGAINST_SOURCE = 16  # letters, from which a text may not be likelier English
CLEARLY_SOURCE = 8.0  # log-odds by which one sentence must be likelier English: names and terms stay in every language
DENSE_LETTERS = 3  # that one Chinese, Japanese or Korean sign counts for
DENSE_FROM, DENSE_TO = "\u2e80", "\ufb00"
NAMES = {"nb": "no", "iw": "he", "in": "id", "fil": "tl"}  # how the model calls them
# What the model cannot tell apart in a few sentences, and what people who read the one can read: no sign of a wrong translation.
KIN = (
    frozenset({"no", "nn", "da"}),
    frozenset({"hr", "bs", "sr"}),
    frozenset({"id", "ms"}),
    frozenset({"zh", "yue", "wuu"}),
    frozenset({"ar", "ary", "arz"}),
    frozenset({"es", "an", "ext"}),
    frozenset({"hi", "sa"}),
    frozenset({"he", "hbo"}),
    frozenset({"el", "grc"}),
)


@dataclass(frozen=True, slots=True)
class Detected:
    """What the language test found. `language` is None where there were too few letters to tell."""

    language: str | None
    problems: tuple[Problem, ...] = ()


def check_known(language: Language) -> None:
    """Raises RejectedError `language_unsupported` for a language that cannot be told."""
    if _name(language) not in _identifier().labels:
        raise RejectedError(
            "language_unsupported", f"Whether a text is in {language.name} cannot be told here, so a translation could not be verified."
        )


def judge_language(sentences: Sequence[str], language: Language) -> Detected:
    """Whether sentences, without their facts, are in the language. They are judged together and one by one."""
    whole = " ".join(sentences)
    letters = _letters(whole)
    if letters < ENOUGH_AGAINST_SOURCE:
        return Detected(None)
    scores = _identifier().scores(whole)
    wanted = _kin(_name(language))
    best = max(scores, key=lambda name: scores[name])
    if letters >= ENOUGH_TOGETHER and best not in wanted:
        return Detected(best, (Problem("wrong_language", f"It is in another language than {language.name}: it reads as {best!r}."),))
    if not _is_source(language) and _leaning(scores, wanted) > 0:
        return Detected(SOURCE, (Problem("wrong_language", f"It reads as English, not as {language.name}."),))
    left = sum(_left_as_it_was(sentence, language, wanted) for sentence in sentences)
    problem = Problem("not_translated", f"{left} of its sentences read as English.")
    return Detected(best if best in wanted else _name(language), (problem,) if left else ())


def _left_as_it_was(sentence: str, language: Language, wanted: frozenset[str]) -> bool:
    if _is_source(language) or _letters(sentence) < ENOUGH_AGAINST_SOURCE:
        return False
    return _leaning(_identifier().scores(sentence), wanted) > CLEARLY_SOURCE


def _leaning(scores: Mapping[str, float], wanted: frozenset[str]) -> float:
    """Log-odds of English against the language."""
    return scores[SOURCE] - max(scores[name] for name in wanted if name in scores)


def _letters(text: str) -> int:
    return sum(DENSE_LETTERS if DENSE_FROM <= sign < DENSE_TO else 1 for sign in text if unicodedata.category(sign)[0] in "LM")


def _name(language: Language) -> str:
    return NAMES.get(language.primary, language.primary)


def _is_source(language: Language) -> bool:
    return language.primary == SOURCE


def _kin(name: str) -> frozenset[str]:
    return next((kin for kin in KIN if name in kin), frozenset({name}))


class _Identifier:
    """The model, loaded once (2 s). Its scores are log-probabilities that are not normalised."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._lock = threading.Lock()
        self.labels = frozenset(name for name, _ in model.rank("a"))

    def scores(self, text: str) -> dict[str, float]:
        """By language."""
        with self._lock:
            return {name: float(score) for name, score in self._model.rank(text)}


@cache
def _identifier() -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  brings numpy, and is needed by translations only

    return _Identifier(LanguageIdentifier.from_model_file(MODEL_FILE))
