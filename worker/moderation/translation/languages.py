"""Languages by their BCP-47 tags: what they are called, which way they are written, and in which letters. From Unicode's CLDR, by Babel."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from worker.moderation.errors import RejectedError

SOURCE = "en"  # what the prompts ask for, and nano's own language
LONGEST_TAG = 35  # characters, as RFC 5646 asks of every implementation
# How Unicode names the letters of a script. A language in any other script cannot be verified here.
LETTERS = {
    "Arab": ("ARABIC",),
    "Armn": ("ARMENIAN",),
    "Beng": ("BENGALI",),
    "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",),
    "Ethi": ("ETHIOPIC",),
    "Geor": ("GEORGIAN",),
    "Grek": ("GREEK",),
    "Gujr": ("GUJARATI",),
    "Guru": ("GURMUKHI",),
    "Hans": ("CJK", "IDEOGRAPHIC"),
    "Hant": ("CJK", "IDEOGRAPHIC"),
    "Hebr": ("HEBREW",),
    "Jpan": ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA"),
    "Khmr": ("KHMER",),
    "Knda": ("KANNADA",),
    "Kore": ("HANGUL", "CJK"),
    "Laoo": ("LAO",),
    "Latn": ("LATIN",),
    "Mlym": ("MALAYALAM",),
    "Mymr": ("MYANMAR",),
    "Sinh": ("SINHALA",),
    "Taml": ("TAMIL",),
    "Telu": ("TELUGU",),
    "Thai": ("THAI",),
}
DENSE = frozenset({"Hans", "Hant", "Jpan", "Kore"})  # scripts of which one sign stands for two or three letters of others
UNSPACED = frozenset({"Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai"})  # no spaces between sentences, or words
JOINED = frozenset({"Arab", "Beng", "Deva", "Gujr", "Guru", "Knda", "Mlym", "Mymr", "Sinh", "Taml", "Telu"})  # joiners are part of spelling


@dataclass(frozen=True, slots=True)
class Language:
    """A language that explanations can be verified in. `tag` is canonical."""

    tag: str
    name: str  # in English
    own_name: str
    direction: str  # "ltr" | "rtl", as HTML's `dir`
    script: str  # ISO 15924

    @property
    def primary(self) -> str:
        """The tag's first part: `zh` of `zh-Hans`."""
        return self.tag.partition("-")[0]

    @property
    def letters(self) -> tuple[str, ...]:
        """How Unicode names its letters."""
        return LETTERS[self.script]


@cache
def find_language(tag: str) -> Language:
    """The language of a tag. Raises RejectedError: language_malformed, language_unsupported."""
    try:
        locale = Locale.parse(tag[: LONGEST_TAG + 1], sep="-")
    except UnknownLocaleError:
        raise RejectedError("language_unsupported", f"{tag[:LONGEST_TAG]!r} is not a language that Unicode's CLDR describes.") from None
    except (ValueError, TypeError):
        raise RejectedError(
            "language_malformed", f"{tag[:LONGEST_TAG]!r} is not a language tag. They look like de, pt-BR, zh-Hans."
        ) from None
    script = locale.script or _usual_script(locale)
    if script not in LETTERS:
        raise RejectedError("language_unsupported", f"Letters of {tag} ({script}) are not known here: a translation could not be verified.")
    return Language(
        tag=str(locale).replace("_", "-"),
        name=locale.get_display_name("en") or tag,
        own_name=locale.get_display_name() or tag,
        direction=locale.text_direction,
        script=script,
    )


def check_languages(tags: Iterable[str]) -> None:
    """Of a policy that is being written; one that was may list what is not known here. Raises RejectedError `languages_invalid`."""
    for tag in tags:
        try:
            find_language(tag)
        except RejectedError as error:
            raise RejectedError("languages_invalid", f"Nobody can be given an explanation in {tag}. {error.message}") from None


def _usual_script(locale: Locale) -> str:
    """Of CLDR's likely subtags: `Cyrl` for `sr`."""
    likely = get_global("likely_subtags")
    whole = likely.get(str(locale)) or likely.get(locale.language) or ""
    return next((part for part in whole.split("_") if len(part) == 4), "")
