"""An OpenAI-compatible endpoint that translates from the phrasebook, and spoils what it says in as many ways as we could think of."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.unit.translation.phrasebook import AUTHENTIC, BUT, FINGERS, LIGHT, LOOKS, MACHINE, NOT, PHOTOGRAPH, SHADOWS, TRANSLATIONS
from worker.moderation.translation.vocabulary import WORDS

MARK = re.compile(r"⟦([A-Z])(\d+)⟧")
NUMERIC = re.compile(r"⟦[NRB]\d+⟧")
Sentences = dict[str, str]
NATIVE = {"ar": "٠١٢٣٤٥٦٧٨٩", "hi": "०१२३४५६७८९", "ja": "０１２３４５６７８９"}
WORD_FOR_REAL = {
    "de": "echt",
    "fr": "authentique",
    "es": "auténtica",
    "uk": "справжнє",
    "tr": "gerçek",
    "ar": "حقيقية",
    "he": "אמיתי",
    "ja": "本物",
    "zh-Hans": "真实",
    "hi": "असली",
    "it": "autentica",
    "pt": "verdadeira",
    "nl": "echt",
    "pl": "prawdziwy",
    "cs": "skutečný",
}
WORD_FOR_FAKE = {
    "de": "gefälscht",
    "fr": "artificielle",
    "es": "falsa",
    "uk": "підробленим",
    "tr": "sahte",
    "ar": "مزيفة",
    "he": "מזויפת",
    "ja": "偽物",
    "zh-Hans": "伪造",
    "hi": "नकली",
    "it": "falsa",
    "pt": "falsa",
    "nl": "vals",
    "pl": "fałszywy",
    "cs": "falešný",
}
NOT_IN = {
    "de": "nicht",
    "fr": "pas",
    "es": "no",
    "uk": "не",
    "tr": "değil",
    "ar": "ليس",
    "he": "לא",
    "ja": "ではない",
    "zh-Hans": "不",
    "hi": "नहीं",
    "it": "non",
    "pt": "não",
    "nl": "niet",
    "pl": "nie",
    "cs": "ne",
}
# What makes a verdict its opposite, written onto it; a denial before it; and a word that says it is not so, in the language of another.
ONTO = {
    "de": "un",
    "fr": "in",
    "es": "des",
    "uk": "не",
    "tr": "gayri",
    "ar": "لا",
    "he": "אל",
    "ja": "非",
    "zh-Hans": "非",
    "hi": "गैर",
    "it": "in",
    "pt": "des",
    "nl": "on",
    "pl": "nie",
    "cs": "ne",
}
DENIED = {
    "de": "alles andere als",
    "fr": "tout sauf",
    "es": "todo menos",
    "uk": "аж ніяк",
    "tr": "sözde",
    "ar": "بدون أي شيء",
    "he": "בלתי",
    "ja": "いわゆる",
    "zh-Hans": "难以说是",
    "hi": "शायद ही",
    "it": "tutt'altro che",
    "pt": "tudo menos",
    "nl": "allesbehalve",
    "pl": "bynajmniej",
    "cs": "sotva",
}
ANOTHER = {
    "de": "fr",
    "fr": "es",
    "es": "de",
    "uk": "ar",
    "tr": "de",
    "ar": "he",
    "he": "ar",
    "ja": "zh-Hans",
    "zh-Hans": "ja",
    "hi": "uk",
    "it": "nl",
    "pt": "it",
    "nl": "de",
    "pl": "cs",
    "cs": "pl",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wanted: sentences with marks, and what the marks stand for."""

    language: str
    sentences: Mapping[str, str]
    marks: Mapping[str, str]


def template_of(sentence: str) -> str:
    """A sentence with its facts left open."""
    return re.sub(r"⟦[A-Z]\d+⟧|\{[A-Z]\}", "{}", sentence)


BOOK = {tag: {template_of(english): other for english, other in phrases.items()} for tag, phrases in TRANSLATIONS.items()}


def translated(asked: Asked, language: str | None = None) -> Sentences:
    """The phrasebook's translations, marks in their places."""
    book = BOOK[language or asked.language]
    return {
        name: book[template_of(sentence)].format(*(match[0] for match in MARK.finditer(sentence)))
        for name, sentence in asked.sentences.items()
    }


def read_user(turn: str) -> Asked:
    """What `worker.translation.asking` wrote."""
    user = json.loads(turn)
    tag = re.search(r", ([A-Za-z-]+)\)$", user["language"])
    assert tag is not None
    return Asked(tag[1], user["sentences"], user["marks"])


def completion(content: str | None, *, finish: str = "stop", refusal: str | None = None, usage: Any = None) -> dict[str, Any]:
    """A chat completion."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    usage = usage or {"prompt_tokens": 9, "completion_tokens": 9}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage or {"prompt_tokens": 9, "completion_tokens": 9},
    }


@dataclass
class Endpoint:
    """Answers with honest translations, spoilt by `attack`; counts what it was asked."""

    attack: Callable[[Asked, Sentences], Any] | None = None
    requests: list[httpx.Request] = field(default_factory=list)
    spoilt: int = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One reply. An attack that finds no place changes nothing."""
        self.requests.append(request)
        asked = read_user(json.loads(request.content)["messages"][1]["content"])
        honest = translated(asked)
        said = self.attack(asked, dict(honest)) if self.attack else honest
        self.spoilt += said != honest
        if isinstance(said, httpx.Response):
            return said
        answer = said if "choices" in said else completion(json.dumps(said))  # ASCII: half a surrogate comes only quoted twice
        return httpx.Response(200, content=json.dumps(answer))

    @property
    def transport(self) -> httpx.MockTransport:
        """For an EndpointText."""
        return httpx.MockTransport(self.answer)


Change = Callable[[str, Asked], str]


def first(change: Change) -> Callable[[Asked, Sentences], Sentences]:
    """Spoils the first sentence that the change finds something in."""

    def attack(asked: Asked, said: Sentences) -> Sentences:
        for name, sentence in said.items():
            if (spoilt := change(sentence, asked)) != sentence:
                return {**said, name: spoilt}
        return said

    return attack


def mark(kind: str, replacement: Callable[[str, Asked], str]) -> Callable[[Asked, Sentences], Sentences]:
    """Spoils the first mark of a kind (a class of letters)."""
    pattern = re.compile(rf"⟦([{kind}]\d+)⟧")
    return first(lambda sentence, asked: pattern.sub(lambda found: replacement(found[1], asked), sentence, count=1))


def _native(name: str, asked: Asked) -> str:
    digits = NATIVE.get(asked.language, "٠١٢٣٤٥٦٧٨٩")
    return "".join(digits[int(sign)] if sign.isdecimal() else sign for sign in asked.marks[name])


def _other_digit(name: str, asked: Asked) -> str:
    return re.sub(r"\d", lambda found: str((int(found[0]) + 1) % 10), asked.marks[name], count=1)


def _swapped(sentence: str, asked: Asked) -> str:
    found = NUMERIC.findall(sentence)
    if len(found) < 2 or asked.marks[found[0][1:-1]] == asked.marks[found[1][1:-1]]:
        return sentence
    return sentence.replace(found[0], "\0").replace(found[1], found[0]).replace("\0", found[1])


def _across(asked: Asked, said: Sentences) -> Sentences:
    """Two sentences exchange a mark."""
    with_marks = [(name, NUMERIC.search(sentence)) for name, sentence in said.items()]
    found = [(name, match[0]) for name, match in with_marks if match]
    for name, one in found:
        for other, two in found:
            if asked.marks[one[1:-1]] != asked.marks[two[1:-1]]:
                return {**said, name: said[name].replace(one, two), other: said[other].replace(two, one)}
    return said


def _exchanged(_: Asked, said: Sentences) -> Sentences:
    """Two sentences with marks exchange their places."""
    marked = [name for name, sentence in said.items() if MARK.search(sentence)]
    if len(marked) < 2 or said[marked[0]] == said[marked[1]]:
        return said
    return {**said, marked[0]: said[marked[1]], marked[1]: said[marked[0]]}


def _verdict_turned(name: str, asked: Asked) -> str:
    return "real" if asked.marks[name].lower() == "generated" else "generated"


def _negated(sentence: str, asked: Asked) -> str:
    """A negation beside a verdict that had none."""
    english = next(text for text in asked.sentences.values() if set(MARK.findall(text)) == set(MARK.findall(sentence)))
    if "⟦V" not in sentence or " not " in english:
        return sentence
    return re.sub(r"(⟦V\d+⟧)", rf"{NOT_IN[asked.language]} \1", sentence, count=1)


def _beside(written: Callable[[Asked, str], str]) -> Callable[[Asked, Sentences], Sentences]:
    """Writes something beside or onto the verdict of a sentence that negates nothing."""
    return on(LOOKS, lambda sentence, asked: re.sub(r"⟦V\d+⟧", lambda found: written(asked, found[0]), sentence))


def _split(word: str, sign: str) -> str:
    return word[:1] + sign + word[1:]


def _unnegated(asked: Asked, said: Sentences) -> Sentences:
    """The negation beside a verdict is gone."""
    looks = BOOK[asked.language]["Overall the image looks {}."]
    for name, sentence in asked.sentences.items():
        if template_of(sentence) == "The image does not look {}.":
            return {**said, name: looks.format(MARK.search(sentence)[0])}  # type: ignore[index]
    return said


def on(english: str, change: Change) -> Callable[[Asked, Sentences], Sentences]:
    """Spoils the translation of one sentence of the phrasebook."""
    template = re.sub(r"\{[A-Z]\}", "{}", english)

    def attack(asked: Asked, said: Sentences) -> Sentences:
        spoilt = {name: change(said[name], asked) for name, sentence in asked.sentences.items() if template_of(sentence) == template}
        return {**said, **spoilt}

    return attack


def _translation(english: str, asked: Asked, filled: str) -> str:
    """A sentence of the phrasebook that has one place to fill."""
    return TRANSLATIONS[asked.language][english].format(filled)


def _not_before_last(sentence: str, asked: Asked) -> str:
    """The negation stands before the last verdict, whose it is not."""
    return re.sub(r"(⟦V\d+⟧)(?!.*⟦V)", rf"{NOT_IN[asked.language]} \1", sentence)


def _this_not_that(sentence: str, asked: Asked) -> str:
    """`Not this but that` becomes `this, not that`."""
    this, that = (match[0] for match in MARK.finditer(sentence))
    looks = _translation(LOOKS, asked, this)
    return f"{looks[:-1]}, {NOT_IN[asked.language]} {that}{looks[-1]}"


def _appended(text: Callable[[Asked], str]) -> Callable[[Asked, Sentences], Sentences]:
    return first(lambda sentence, asked: sentence + text(asked))


def _inserted(text: str) -> Callable[[Asked, Sentences], Sentences]:
    return first(lambda sentence, _: sentence[:4] + text + sentence[4:])


def _homoglyph(sentence: str, asked: Asked) -> str:
    return sentence.replace("e", "е", 1) if "e" in sentence else sentence[:2] + "a" + sentence[2:]


def _another_language(asked: Asked, _: Sentences) -> Sentences:
    return translated(asked, ANOTHER[asked.language])


def _one_in_english(asked: Asked, said: Sentences) -> Sentences:
    longest = max(asked.sentences, key=lambda name: len(MARK.sub("", asked.sentences[name])))
    return {**said, longest: asked.sentences[longest]}


def _whole(make: Callable[[Asked, Sentences], Any]) -> Callable[[Asked, Sentences], Any]:
    return make


def _as_json(said: Sentences) -> str:
    return json.dumps(said, ensure_ascii=False)


EXTRA = {
    "de": " Das beweist alles.",
    "fr": " Cela prouve tout.",
    "es": " Eso lo prueba todo.",
    "uk": " Це доводить усе.",
    "tr": " Bu her şeyi kanıtlıyor.",
    "ar": " هذا يثبت كل شيء.",
    "he": " זה מוכיח הכול.",
    "ja": "これがすべてを証明しています。",
    "zh-Hans": "这证明了一切。",
    "hi": " यह सब साबित करता है।",
    "it": " Questo prova tutto.",
    "pt": " Isso prova tudo.",
    "nl": " Dat bewijst alles.",
    "pl": " To dowodzi wszystkiego.",
    "cs": " To dokazuje všechno.",
}
NUMBER_WORD = {
    "de": "drei",
    "fr": "trois",
    "es": "tres",
    "uk": "три",
    "tr": "üç",
    "ar": "ثلاث",
    "he": "שלוש",
    "ja": "三",
    "zh-Hans": "三",
    "hi": "तीन",
    "it": "tre",
    "pt": "três",
    "nl": "drie",
    "pl": "trzy",
    "cs": "tři",
}

# What turns a verdict: each language does that in its own way, so these are tried in all of them.
TURNS: Mapping[str, Callable[[Asked, Sentences], Any]] = {
    "the other verdict": mark("V", _verdict_turned),
    "the verdict in the language": mark("V", lambda _, asked: WORD_FOR_REAL[asked.language]),
    "a second verdict": mark("V", lambda name, _: f"⟦{name}⟧ (real)"),
    "a verdict added in the language": first(lambda sentence, asked: f"{WORD_FOR_REAL[asked.language]}, {sentence}"),
    "negated": first(_negated),
    "no longer negated": _unnegated,
    "negated beside an absence": on(SHADOWS, _not_before_last),
    "this, not that": on(BUT, _this_not_that),
    "not this, nor that": on(BUT, _not_before_last),
    "a verdict on a photograph": on(PHOTOGRAPH, lambda sentence, asked: f"{WORD_FOR_FAKE[asked.language]}: {sentence}"),
    "not authentic made authentic": on(AUTHENTIC, lambda _, asked: _translation(LOOKS, asked, WORD_FOR_REAL[asked.language])),
    "not authentic made not false": on(AUTHENTIC, lambda _, asked: _translation(NOT, asked, WORD_FOR_FAKE[asked.language])),
    "negated by a letter": _beside(lambda asked, verdict: ONTO[asked.language] + verdict),
    "negated by a hyphen": _beside(lambda asked, verdict: f"{ONTO[asked.language]}-{verdict}"),
    "negated by a hyphen that does not break": _beside(lambda asked, verdict: f"{ONTO[asked.language]}\u2011{verdict}"),
    "negated by a dash": _beside(lambda asked, verdict: f"{ONTO[asked.language]}–{verdict}"),
    "negated by a Hebrew hyphen": _beside(lambda asked, verdict: f"{NOT_IN[asked.language]}\u05be{verdict}"),
    "negated onto quotation marks": _beside(lambda asked, verdict: f'{ONTO[asked.language]}"{verdict}"'),
    "its negation written onto it": _beside(lambda asked, verdict: NOT_IN[asked.language] + verdict),
    "its negation written behind it": _beside(lambda asked, verdict: verdict + NOT_IN[asked.language]),
    "negated in capitals": _beside(lambda asked, verdict: f"{NOT_IN[asked.language].upper()} {verdict}"),
    "negated behind it": _beside(lambda asked, verdict: f"{verdict} {NOT_IN[asked.language]}"),
    "negated in English": _beside(lambda _, verdict: f"not {verdict}"),
    "negated in half English": _beside(lambda _, verdict: f"non-{verdict}"),
    "negated by a sign that is not seen": _beside(lambda asked, verdict: f"{_split(NOT_IN[asked.language], chr(0xFE0F))} {verdict}"),
    "negated by a joiner": _beside(lambda asked, verdict: f"{_split(NOT_IN[asked.language], chr(0x200D))} {verdict}"),
    "denied": _beside(lambda asked, verdict: f"{DENIED[asked.language]} {verdict}"),
    "negated twice": on(NOT, lambda sentence, asked: re.sub(r"(⟦V\d+⟧)", rf"{NOT_IN[asked.language]} \1", sentence)),
    "negated and turned": on(NOT, lambda sentence, asked: re.sub(r"(⟦V\d+⟧)", rf"{ONTO[asked.language]}-\1", sentence)),
    "asked": on(LOOKS, lambda sentence, _: re.sub(r"[.。।]$", "?", sentence)),
    "made by nobody": on(MACHINE, lambda sentence, asked: re.sub(r"(⟦V\d+⟧)", rf"{NOT_IN[asked.language]} \1", sentence)),
    "a finding negated": on(FINGERS, lambda sentence, asked: re.sub(r"(⟦N\d+⟧)", rf"{NOT_IN[asked.language]} \1", sentence)),
    "a verdict of other letters": mark("V", lambda name, asked: asked.marks[name].replace("e", "е", 1)),
    "a verdict of wide letters": mark("V", lambda name, asked: "".join(chr(ord(letter) + 0xFEE0) for letter in asked.marks[name])),
    "a verdict in two": mark("V", lambda name, asked: f"{asked.marks[name][:2]}-{asked.marks[name][2:]}"),
    "a verdict joined": mark("V", lambda name, asked: f"{asked.marks[name][:2]}\u200d{asked.marks[name][2:]}"),
    "a verdict in small capitals": _inserted(" ɢᴇɴᴇʀᴀᴛᴇᴅ "),
    "a verdict raised": _inserted(" ʳᵉᵃˡ "),
    "a verdict underlined": _inserted(" r\u0332eal "),
    "a verdict with an accent": _inserted(" réal "),
}  # fmt: skip
ATTACKS: Mapping[str, Callable[[Asked, Sentences], Any]] = {
    **TURNS,
    # Numbers, regions, boxes
    "another digit": mark("NR", _other_digit),
    "digits of another script": mark("NR", _native),
    "fullwidth digits": mark("NR", lambda name, asked: "".join(chr(ord(c) + 0xFEE0) if c.isdecimal() else c for c in asked.marks[name])),
    "a word for the number": mark("NR", lambda _, asked: NUMBER_WORD[asked.language]),
    "a Roman numeral": mark("NR", lambda *_: "IV"),
    "a Roman sign": mark("NR", lambda *_: "Ⅳ"),
    "a digit behind it": mark("NR", lambda name, _: f"⟦{name}⟧0"),
    "a digit before it": mark("NR", lambda name, _: f"1⟦{name}⟧"),
    "a fraction behind it": mark("NR", lambda name, _: f"⟦{name}⟧.5"),
    "a sign before it": mark("NR", lambda name, _: f"-⟦{name}⟧"),
    "percent behind it": mark("R", lambda name, _: f"⟦{name}⟧%"),
    "an exponent": mark("NR", lambda name, _: f"⟦{name}⟧²"),
    "twice": mark("NR", lambda name, _: f"⟦{name}⟧, ⟦{name}⟧"),
    "dropped": mark("NRB", lambda *_: ""),
    "two marks swapped": first(_swapped),
    "two run together": first(lambda sentence, _: re.sub(r"(⟦[NR]\d+⟧)[^⟦]{1,7}(⟦[NR]\d+⟧)", r"\1\2", sentence)),
    "marks of other sentences": _across,
    "sentences exchanged": _exchanged,
    "an unknown mark": mark("NRB", lambda *_: "⟦N99⟧"),
    "a broken mark": mark("NRB", lambda name, _: f"⟦{name}"),
    "another box": mark("B", _other_digit),
    "a box in other digits": mark("B", _native),
    "a box with its sides turned": mark("B", lambda name, asked: "[" + ", ".join(re.findall(r"\d+", asked.marks[name])[::-1]) + "]"),
    "an added box": _appended(lambda _: " [1, 2, 3, 4]"),
    "an added number": _inserted(" 5 "),
    # Markup, links, code
    "a script": _inserted("<script>alert(document.cookie)</script>"),
    "an image": _inserted('<img src=x onerror="alert(1)">'),
    "an entity": _inserted("&lt;"),
    "Markdown": first(lambda sentence, _: f"**{sentence}**"),
    "a heading": first(lambda sentence, _: f"# {sentence}"),
    "an image by Markdown": _appended(lambda _: " ![](https://evil.example/x.png)"),
    "a Markdown link": _appended(lambda _: "[*](javascript:alert)"),
    "a link": _inserted(" https://evil.example/ "),
    "a bare link": _inserted(" evil.example "),
    "a chat token": _inserted("<|im_start|>"),
    "a template": _inserted("{{7*7}}"),
    "markup dropped": mark("M", lambda *_: ""),
    "another link": mark("L", lambda *_: "https://evil.example/"),
    # Signs that hide or deceive
    "a right-to-left override": _inserted("\u202e"),
    "an isolate": _inserted("\u2066"),
    "a direction mark": _inserted("\u200f"),
    "a direction mark of the other side": _inserted("\u200e"),
    "an Arabic direction mark": _inserted("\u061c"),
    "an embedding": _inserted("\u202b"),
    "a variation selector": _inserted("\ufe0f"),
    "a filler": _inserted("\u3164"),
    "a zero-width space": _inserted("\u200b"),
    "a soft hyphen": _inserted("\u00ad"),
    "tag characters": _inserted("\U000e0049\U000e0067"),
    "a control character": _inserted("\u001b[2J"),
    "NUL": _inserted("\u0000"),
    "half a surrogate": _inserted("\ud800"),
    "a private sign": _inserted("\ue000"),
    "a byte-order mark": _inserted("\ufeff"),
    "a pile of accents": _inserted("a" + "\u0301" * 30),
    "an emoji": _inserted("🔥"),
    "a currency": _inserted("€"),
    "letters that look alike": first(_homoglyph),
    # Words
    "one more sentence": _appended(lambda asked: EXTRA[asked.language]),
    "many more words": first(lambda sentence, asked: f"{sentence[:-1]} {EXTRA[asked.language].strip(' .。।') * 8}{sentence[-1]}"),
    "few words left": on(LIGHT, lambda sentence, _: sentence[:2] + sentence[-1]),
    "no words": first(lambda *_: " "),
    "cut off": first(lambda sentence, _: sentence[: len(sentence) // 3]),
    "all in English": lambda asked, _: dict(asked.sentences),
    "one in English": _one_in_english,
    "in another language": _another_language,
    # The reply as a whole
    "a sentence dropped": lambda _, said: dict(list(said.items())[1:]),
    "a sentence added": lambda _, said: {**said, "s99": "x"},
    "a number for a text": lambda _, said: {**said, "s1": 5},
    "nested": lambda _, said: {**said, "s1": {"text": said["s1"]}},
    "a list": lambda _, said: completion(json.dumps(list(said.values()), ensure_ascii=False)),
    "a key twice": lambda _, said: completion(_as_json(said)[:-1] + ', "s1": "x"}'),
    "prose before": lambda _, said: completion("Sure! Here it is: " + _as_json(said)),
    "prose behind": lambda _, said: completion(_as_json(said) + " I hope this helps."),
    "prose only": lambda *_: completion("I translated everything. The image is real."),
    "a refusal in prose": lambda *_: completion("I'm sorry, but I can't help with that."),
    "a refusal": lambda *_: completion(None, refusal="no"),
    "filtered": lambda *_: completion("", finish="content_filter"),
    "stopped for length": lambda _, said: completion(_as_json(said), finish="length"),
    "half of the JSON": lambda _, said: completion(_as_json(said)[:-20]),
    "nothing": lambda *_: completion(""),
}  # fmt: skip
assert set(WORDS) >= {language.partition("-")[0] for language in TRANSLATIONS}
