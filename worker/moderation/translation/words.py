"""The vocabulary as patterns: what negates, what stands for a verdict, where a clause ends, what may be written onto a verdict."""

import re
from dataclasses import dataclass
from functools import cache

from worker.moderation.translation.facts import PATTERNS
from worker.moderation.translation.vocabulary import BEFORE, BEHIND, MACHINE_NAMES, MACHINES, PLAIN, TURNING_PREFIXES, TURNING_SIGNS, WORDS


@dataclass(frozen=True, slots=True)
class TurningWords:
    """Patterns of one language. Negations are looked for in clauses whose verdicts are each a VERDICT."""

    negation: re.Pattern[str]
    plain: re.Pattern[str]  # those negations of which a second one takes the first back
    verdict: re.Pattern[str]  # groups literal, real and fake
    boundary: re.Pattern[str]  # where a clause ends
    machine: re.Pattern[str]  # artificial intelligence by its name, which calls no image artificial
    before: re.Pattern[str] | None  # all that may be written onto a verdict without a space; None: the language has no spaces
    behind: re.Pattern[str]


VERDICT = "\ue000"  # no text has it: it is refused as a hidden character
SPEAKS = rf"(?=[-\s‐‑–・·\"'“”„«「『]*{VERDICT})"  # directly before a verdict
# In every language: a translation that leaves `not` in English has turned the verdict all the same.
ENGLISH_ANYWHERE = (r"\b(?:not|never|cannot)\b", r"n['’]t\b", rf"\b(?:no|non)(?:[-‐‑–]|\b){SPEAKS}")
ENGLISH_NEGATIONS = (
    *ENGLISH_ANYWHERE,
    r"\b(?:no|neither|nor|none|nothing|nobody|nowhere|without|hardly|barely|scarcely|allegedly|supposedly|so-called|anything but)\b",
    rf"\bfar from (?:being |looking )?{SPEAKS}",
)
# What other languages may say by a negation: unnatural, seamless; lacks, differs, fails.
ABSENCE = (
    r"\b(?:un(?:natur|real|usual|like|clear|even|read|convinc|match|relat|known|finish|defin|expect|interrupt)"
    r"|in(?:consist|correct|coher|compl|accur|distinct|valid)|im(?:poss|plaus|prop|perf)|ir(?:reg|relev)|il(?:leg|log)"
    r"|dis(?:prop|cont|conn|sim|agree|join)|mis(?:match|shap|align|form|plac)|non|lack|miss|absen|fail|devoid|free|refus|den[iy]"
    r"|differ|rather|instead|other|few|contradict)\w*|\w{3,}less(?:ly)?\b"
)
ENGLISH_ABSENCE = re.compile(ABSENCE, re.IGNORECASE)
# What they may say so of findings, where no verdict is turned by it: odd, blurred, hidden; only, too.
ENGLISH_ODDITY = re.compile(
    rf"{ABSENCE}|\b(?:un|dis|mis|a(?:bnorm|sym|typ)|invis|only|just|mere|still|until|before|too|odd|strange|weird|wrong|blur|vague|fad|faint"
    r"|hid|hard|difficult|avoid|prevent|stop|empty|blank|broken|rare|seldom|little)\w*",
    re.IGNORECASE,
)
LATIN_FAKE = r"(?:deep)?fake"  # in every language
# What a word goes on with: to Python, vowel signs and accents of Hebrew, Arabic, Indian and Thai letters are no part of words.
# Hebrew's hyphen, U+05BE, stands among its vowels, and parts words.
MARKS = "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
INSIDE = f"[\\w{MARKS}\u0900-\u0963\u0966-\u0dff\u0e31-\u0e4e]"
JOINING = frozenset({"ar", "fa", "he", "ja", "ko", "zh"})  # words join others without a space: a stem may stand anywhere
ENDLESS = frozenset({"ja", "zh"})  # no word has an end
LITERAL = f"(?P<literal>{PATTERNS['verdict']})"
STOPS = r"[,;:.!?…()—、，；：。！？،؛۔।]|\s[-–]\s"
# What is said of the clause before: a comma in front of it parts nothing.
SUBORDINATORS = "that|dass|daß|que|qu|che|że|že|hogy|att|dat|că|что|що|че|ότι|πως"
NOT_THIS = {"ja": "(?<=なく)", "ko": "(?<=아니라)"}  # `not this, but`, written without a stop
NOTHING = re.compile("")
ENGLISH = TurningWords(
    negation=re.compile("|".join(ENGLISH_NEGATIONS), re.IGNORECASE),
    plain=re.compile("|".join(ENGLISH_NEGATIONS), re.IGNORECASE),
    verdict=re.compile(
        rf"{LITERAL}|(?P<fake>\b(?:inauthentic|unreal\b|(?:deep)?fak(?:e|ing|ery)|artificial|synthe[ts])\w*)"
        r"|(?P<real>\b(?:authentic|genuin)\w*)",
        re.IGNORECASE,
    ),
    boundary=re.compile(rf"(?:{STOPS})(?!\s*that\b)|\b(?=(?:and|but|nor|because|although|though|whereas|which)\b)", re.IGNORECASE),
    before=NOTHING,
    behind=NOTHING,
    machine=re.compile(r"\bA\.?I\b|\bartificial intelligence\b", re.IGNORECASE),
)


@cache
def turning_words(primary: str) -> TurningWords | None:
    """Those of a language, by its primary tag; None where they are not known."""
    if primary not in WORDS:
        return None
    whole, parts, real, fake, clauses = (text.split() for text in WORDS[primary])
    begins, ends = ("", "") if primary in ENDLESS else (f"(?<!{INSIDE})", f"(?!{INSIDE})")
    negations = [*_whole(whole), *parts, *ENGLISH_ANYWHERE]
    if primary in TURNING_SIGNS:
        negations.insert(0, f"[{TURNING_SIGNS[primary]}]{SPEAKS}")
    boundary = [rf"(?:{STOPS})(?!\s*(?:{SUBORDINATORS})\b)", *(f"{begins}(?={word}{ends})" for word in clauses)]
    return TurningWords(
        negation=_any(negations),
        plain=_any([*_whole(PLAIN[primary].split()), *ENGLISH_ANYWHERE] if primary in PLAIN else negations),
        verdict=_any([LITERAL, *_sides(primary, real, [*fake, LATIN_FAKE])]),
        boundary=_any([*boundary, *([NOT_THIS[primary]] if primary in NOT_THIS else [])]),
        before=None if primary in ENDLESS else _attached(BEFORE.get(primary, "")),
        behind=_any([BEHIND.get(primary, "")]),
        machine=_any([MACHINE_NAMES.get(primary, "(?!)")]),
    )


def _sides(primary: str, real: list[str], fake: list[str]) -> list[str]:
    """What the language calls either side, `unreal` for `fake`, as groups."""
    begins = "" if primary in JOINING else f"(?<!{INSIDE})"
    sides = [f"(?P<real>{begins}(?:{'|'.join(real)}))", f"(?P<fake>{begins}(?:{'|'.join(fake)}))"]
    if primary in TURNING_PREFIXES:
        turned = f"(?:{TURNING_PREFIXES[primary]})"
        sides = [
            f"(?P<real>{begins}(?:{'|'.join(real)}|{turned}(?:{'|'.join(fake)})))",
            f"(?P<fake>{begins}(?:{'|'.join(fake)}|{turned}(?:{'|'.join(real)})))",
        ]
    return sides


def _attached(usual: str) -> re.Pattern[str]:
    """What the language writes before a word without a space, and `AI-`, where the original has that."""
    return _any([rf"(?:{usual})(?P<machine>(?:{'|'.join(sorted(MACHINES))})[-‐‑–])?"])


def _whole(words: list[str]) -> list[str]:
    return [f"(?<!{INSIDE})(?:{word})(?!{INSIDE})" for word in words]


def _any(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)
