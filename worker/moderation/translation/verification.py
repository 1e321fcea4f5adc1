"""Whether a translated sentence still says what the rules can see: the same facts in the same order, nothing hidden, nothing added.

What no rule can see: whether the prose between the facts means the same. Number words other than English ones, ordinals, and a lie in
fluent words pass. So the original stands beside every translation.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from worker.moderation.text import HIDDEN_CATEGORIES
from worker.moderation.translation.facts import NUMERIC, Fact, Kind, find_facts, without_facts
from worker.moderation.translation.languages import DENSE, JOINED, UNSPACED, Language
from worker.moderation.translation.passages import Problem
from worker.moderation.translation.polarity import Stance, stance, strange_to, written_onto
from worker.moderation.translation.words import ENGLISH, ENGLISH_ODDITY, LITERAL, turning_words

JOINERS = frozenset("\u200c\u200d")  # zero-width, but part of how Persian or Hindi are spelt
# Letters and marks to Unicode, and nothing to the eye: fillers, selectors of a sign's variants. They part a word for rules alone.
UNSEEN = re.compile("[\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
MOST_MARKS_ON_A_LETTER = 4  # accents, vowel signs; more is a pile that covers its neighbours
LONGEST_GROWTH, SHORTEST_SHARE = 2.5, 0.3  # of the original's letters; dense scripts count DENSITY each
ROOM = 24  # letters: short texts grow more
DENSITY = 2.5
TERMINATORS = ".!?…。！？؟।۔"
ENDED = re.compile(rf"[{TERMINATORS}]['\"”’»)\]）」』]*$")
# What ends a sentence within a text; a full stop only behind a word that is no abbreviation.
INNER_END = re.compile(r"(?:(\w\w+)\.|[!?…؟।۔])['\"”’»)]*\s+(?=\w)|[。！？](?=.*\w)")
ABBREVIATIONS = frozenset(
    (
        "abb",
        "bijv",
        "bzw",
        "ca",
        "cf",
        "dvs",
        "etc",
        "evtl",
        "ex",
        "fig",
        "ggf",
        "itd",
        "max",
        "min",
        "np",
        "nr",
        "osv",
        "resp",
        "tj",
        "usw",
    )
)
FILLER = "fact"  # a word of four letters in place of a fact, where only the shape of a sentence counts
ASKED = re.compile("[?？؟⁇⁈⁉\u037e]")
UNENDED = frozenset({"Thai", "Khmr", "Laoo", "Mymr"})  # scripts that end no sentence with a stop
# Letters of alphabets; not those of phonetics, among which are small capitals and others that look like these.
LATIN_LETTER = "[A-Za-zªºÀ-ƿǄ-ɏḀ-ỿ]"
LATIN_WORD = re.compile(f"{LATIN_LETTER}+")
ANYWHERE = re.compile(f"{LATIN_LETTER}|[ʻʼʹ]")  # names and units in other scripts; apostrophes that count as letters
LOOSE_MARK = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")  # accents; NFC leaves none of them alone
VERDICT = re.compile(LITERAL, re.IGNORECASE)


def verify(original: str, translated: str, language: Language) -> tuple[Problem, ...]:
    """Why one translated sentence must not be kept; empty when it may. `original` is English."""
    before, after = find_facts(original, english=True), find_facts(translated)
    prose_before, prose_after = without_facts(original, before), without_facts(translated, after)
    return (
        *_hidden(translated, language),
        *_facts(before, after),
        *_signs(prose_before, prose_after),
        *_letters(prose_before, prose_after, language),
        *_length(prose_before, prose_after, language),
        *_sentences(without_facts(original, before, FILLER), without_facts(translated, after, FILLER), language),
        *_verdicts(original, translated, language),
    )


def _hidden(text: str, language: Language) -> Iterator[Problem]:
    joiners = JOINERS if language.script in JOINED else frozenset()
    hidden = {sign for sign in text if unicodedata.category(sign) in HIDDEN_CATEGORIES or UNSEEN.match(sign)} - joiners
    if hidden:
        yield Problem("hidden_character", f"It has invisible characters: {', '.join(sorted(f'U+{ord(sign):04X}' for sign in hidden)[:5])}.")
    composed = unicodedata.normalize("NFC", text)
    if LOOSE_MARK.search(composed):
        yield Problem("marks_piled", "A letter carries an accent that it has in no alphabet.")
        return
    run = 0
    for sign in composed:
        run = run + 1 if unicodedata.category(sign).startswith("M") else 0
        if run > MOST_MARKS_ON_A_LETTER:
            yield Problem("marks_piled", "A letter carries more accents than any script has.")
            return


def _facts(before: tuple[Fact, ...], after: tuple[Fact, ...]) -> Iterator[Problem]:
    for code, kinds, what in (
        ("number_changed", NUMERIC, "Numbers, boxes and region references"),
        ("verdict_changed", {Kind.VERDICT}, "The words real and generated"),
        ("markup_changed", {Kind.MARKUP}, "Markup"),
        ("link_changed", {Kind.LINK}, "Links"),
    ):
        wanted, got = ([fact.value for fact in facts if fact.kind in kinds] for facts in (before, after))
        if wanted != got:
            how = "in another order" if Counter(wanted) == Counter(got) else f"{len(got)} of {len(wanted)}, or not the same ones"
            yield Problem(code, f"{what} must stay as they are, in their order; it has {how}.")


def _signs(before: str, after: str) -> Iterator[Problem]:
    """Currency, arithmetic, emoji: none that the original does not have."""
    added = Counter(sign for sign in after if unicodedata.category(sign)[0] == "S") - Counter(before)
    if added:
        yield Problem("symbol_added", f"It has {sum(added.values())} sign(s) that the original does not have.")


def _letters(before: str, after: str, language: Language) -> Iterator[Problem]:
    latin = language.letters == ("LATIN",)
    own_letters = () if latin else language.letters
    strange = {sign for sign in after if sign.isalpha() and _script(sign) not in own_letters and not ANYWHERE.match(sign)}
    if strange:
        yield Problem("script_mixed", f"It has {len(strange)} letter(s) of a script that {language.name} is not written in.")
    if latin:
        return
    known = {word.lower() for word in LATIN_WORD.findall(before) if len(word) > 1}
    words = LATIN_WORD.finditer(after)
    if any(word[0].lower() not in known or _joined(word, after, language) for word in words):
        yield Problem("script_mixed", f"It has words in Latin letters that the original does not have: {language.name} is not written so.")
    own = sum(_script(sign) in language.letters for sign in after)
    if before.strip() and any(sign.isalpha() for sign in before) and not own:
        yield Problem("not_translated", f"It has no letter of {language.name}.")


def _length(before: str, after: str, language: Language) -> Iterator[Problem]:
    was, now = _letter_count(before), _letter_count(after) * (DENSITY if language.script in DENSE else 1)
    if was and not now:
        yield Problem("empty", "It has no words.")
    elif now > LONGEST_GROWTH * was + ROOM:
        yield Problem("too_long", "It is far longer than the original: something was added.")
    elif now < SHORTEST_SHARE * was:
        yield Problem("too_short", "It is far shorter than the original: something is missing.")
    words = before.casefold().split()
    if len(words) > 1 and words == after.casefold().split():
        yield Problem("not_translated", "It is the original, word for word.")


def _sentences(before: str, after: str, language: Language) -> Iterator[Problem]:
    """Of texts whose facts are words like others."""
    before, after = before.strip(), after.strip()
    if _inner_ends(after) > _inner_ends(before):
        yield Problem("sentence_added", "It has more sentences than the original.")
    if len(ASKED.findall(after)) > len(ASKED.findall(before)):
        yield Problem("question_added", "It asks what the original states.")
    if language.script not in UNENDED and ENDED.search(before) and not ENDED.search(after):
        yield Problem("cut_off", "The original ends with a full stop, and it does not: it may have been cut off.")


def _verdicts(original: str, translated: str, language: Language) -> Iterator[Problem]:
    """What may have turned a verdict round, or a finding. Of findings, translators may say `lacks` by `has no`, and the reverse."""
    if _disguised(translated):
        yield Problem("verdict_changed", "It writes real or generated with accents.")
    said, says = _with_verdicts(original, english=True), _as_read(_with_verdicts(translated), language)
    was = stance(ENGLISH.machine.sub(" ", said), ENGLISH, english=True)
    turning = turning_words(language.primary)
    if turning is None:
        if was.names_verdict:
            yield Problem("polarity_unknown", f"It names a verdict, and what negates in {language.name} is not known here.")
        return
    now = stance(turning.machine.sub(" ", says) if ENGLISH.machine.search(said) else says, turning)
    if now.poles.total() > was.poles.total():
        yield Problem("verdict_word_added", f"It says real or generated in {language.name} more often than the original says so.")
    elif was.names_verdict and (how := _turned(was, now)):
        yield Problem("polarity_changed", how)
    elif now.negates and not was.negates and not ENGLISH_ODDITY.search(said):
        yield Problem("negation_added", "It has a negation, and nothing in the original is negated, absent or odd.")
    if any(strange_to(turning, written_onto(says, turning), written_onto(said, ENGLISH))):
        yield Problem("verdict_attached", "Something is written onto a verdict without a space: a negation may hide in it.")


def _turned(was: Stance, now: Stance) -> str | None:
    """Why a sentence may not call the image what the original does; in doubt there is a reason."""
    if now.negates and not was.negates and not was.asides:
        return "It has a negation that the original does not have."
    if was.negates and not now.negates:
        return "The original has a negation, and it has none."
    if [times for _, times in was.literals] != [times for _, times in now.literals] or was.poles != now.poles:
        return "What it calls real or generated, and what it says is not, differs from the original."
    if was.unclear or now.unclear or now.asides - was.asides:
        return "It has a negation, and whether that belongs to its verdict cannot be told."
    return None


def _with_verdicts(text: str, *, english: bool = False) -> str:
    """The prose, with the words real and generated in it."""
    return without_facts(text, tuple(fact for fact in find_facts(text, english=english) if fact.kind is not Kind.VERDICT))


def _as_read(text: str, language: Language) -> str:
    """As people read it: presentation forms are their letters, and what joins letters is not seen."""
    joined = text if language.primary == "fa" else "".join(sign for sign in text if sign not in JOINERS)  # there a joiner ends `not`
    return unicodedata.normalize("NFKC", joined)


def _disguised(text: str) -> bool:
    """Whether the words real and generated appear where accents are taken off."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.category(sign).startswith("M"))
    return len(VERDICT.findall(plain)) > len(VERDICT.findall(text))


def _inner_ends(text: str) -> int:
    return sum((match[1] or "").lower() not in ABBREVIATIONS for match in INNER_END.finditer(text))


def _joined(word: re.Match[str], text: str, language: Language) -> bool:
    """Whether it stands inside a word of other letters; where there are no spaces between words, everything does."""
    around = text[max(word.start() - 1, 0) : word.start()] + text[word.end() : word.end() + 1]
    return language.script not in UNSPACED and any(sign.isalpha() for sign in around)


def _letter_count(prose: str) -> int:
    return sum(unicodedata.category(sign)[0] in "LM" for sign in prose)  # M: Thai and Indian vowels


def _script(letter: str) -> str:
    """How Unicode begins the letter's name."""
    return re.split(r"[ -]", unicodedata.name(letter, ""))[0]
