"""Words that turn a verdict round, by language: negations, and what the language itself calls real and generated.

In a sentence that names a verdict they are looked for. They are whole words and stems, enough to see that one came or went; what is said
by other means cannot be seen by rule. In a language that is not listed here, such a sentence is not translated.
"""

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class TurningWords:
    """Patterns of one language: what negates, and what stands for a verdict."""

    negation: re.Pattern[str]
    verdict: re.Pattern[str]


ENGLISH_NEGATION = re.compile(r"\b(?:not|no|never|neither|nor|none|nothing|nobody|nowhere|without|cannot|hardly)\b|n['’]t\b", re.IGNORECASE)
# What other languages may say by a negation: unnatural, seamless; lacks, differs, fails.
ENGLISH_ABSENCE = re.compile(
    r"\b(?:un(?:natur|real|usual|like|clear|even|read|convinc|match|relat|known|finish|defin|expect|interrupt)"
    r"|in(?:consist|correct|coher|compl|accur|distinct|valid)|im(?:poss|plaus|prop|perf)|ir(?:reg|relev)|il(?:leg|log)"
    r"|dis(?:prop|cont|conn|sim|agree|join)|mis(?:match|shap|align|form|plac)|non|lack|miss|absen|fail|devoid|free|refus|den[iy]"
    r"|differ|rather|instead|other|few|contradict)\w*|\w{3,}less(?:ly)?\b",
    re.IGNORECASE,
)
ENGLISH_VERDICT = re.compile(
    r"\b(?:authentic|genuin|fak|artificial|synthe|natural|photograph|manipulat|camera|true|truly|created|made|produc|generat|real)\w*|\bai\b",
    re.IGNORECASE,
)
# By primary tag: patterns of whole words that negate; of parts of words that do; stems of what stands for real or generated.
WORDS = {
    "ar": ("لا لم لن ليس ليست ليسوا غير بدون دون عدم ولا ولم ولن وليس وليست فلا فليس", "", "حقيقي واقعي أصلي مولد مولّد مزيف مصطنع صناعي"),
    "bg": ("не ни никога без няма никой нищо", "", "истинск реалн генериран фалшив изкуствен автентич"),
    "cs": (r"ani nikdy bez žádn\w+ nic nikdo ne(?!bo\b|j[^s]|ž|het)\w*", "", "skutečn reáln prav[ýáé] generov falešn uměl autentick"),
    "da": ("ikke ingen intet aldrig uden hverken næppe ej", "", "ægte virkelig generere falsk kunstig autentisk"),
    "de": (r"nicht kein\w* nie niemals ohne weder nichts niemand kaum", "", "echt real generier gefälscht künstlich authentisch unecht"),
    "el": ("δεν μη μην όχι ούτε χωρίς κανένα καμία κανένας ποτέ τίποτα", "", "πραγματικ αληθιν γνήσι ψεύτικ τεχνητ δημιουργημέν αυθεντικ"),
    "es": (r"no ni nunca jamás sin ning[uú]n\w* nada nadie tampoco", "", "auténtic genuin generad fals artificial verdader"),
    "fa": ("نه بدون بی غیر هیچ نیست نیستند هرگز", "نمی", "واقعی حقیقی اصلی جعلی مصنوعی تولید ساختگی"),
    "fi": ("ei eivät en et emme ette ilman eikä", "", "aito aida todelli generoi väären keinoteko"),
    "fr": (r"ne pas ni non jamais sans aucune? rien guère n['’]\w+", "", "réel vrai authentiqu généré faux fausse artificiel véritab"),
    "he": (r"ש?ו?(?:לא|אין|אינו|אינה|אינם|אינן|בלי|ללא|מבלי)", "", "אמיתי מציאותי מקורי מזויף מלאכותי נוצר מחולל אותנטי"),
    "hi": ("नहीं न मत बिना", "", "असली वास्तविक नकली कृत्रिम जनरेट प्रामाणिक"),
    "hu": ("nem ne sem nincs nincsenek soha nélkül se semmi", "", "valód igazi generál hamis mesterség eredeti hiteles"),
    "id": ("tidak bukan tanpa jangan belum tak tiada", "", "asli nyata palsu buatan dihasilkan autentik sungguhan"),
    "it": (r"non né mai senza nessun\w* niente nulla neppure", "", "reale vero vera autentic generat fals artificial genuin"),
    "ja": ("", r"(?<!少)ない (?<!少)なく なけれ ません (?<=[^\s])ず[、に] 無い なし", "本物 実物 実在 真正 偽物 偽造 生成 人工 合成"),
    "ko": ("안 못", "않 없 아니 못하", "진짜 실제 가짜 위조 생성 인공 합성"),
    "nb": ("ikke ingen intet aldri uten verken neppe", "", "ekte virkelig generer falsk kunstig autentisk"),
    "nl": ("niet geen nooit zonder noch niets niemand nauwelijks", "", "echt reëel genereer gegenereer nep vals kunstmatig authentiek"),
    "no": ("ikke ingen intet aldri uten verken neppe ikkje utan", "", "ekte virkelig generer falsk kunstig autentisk"),
    "pl": (r"nie ani nigdy bez żad\w+ nic nikt brak", "", "prawdziw realn wygenerow generow fałszyw sztuczn autentyczn"),
    "pt": (r"não nem nunca jamais sem nenhum\w* nada ninguém tampouco", "", "verdadeir autêntic genuín gerad fals artificial"),
    "ro": (r"nu nici niciodată fără nicio? niciun nimic nimeni n-\w+", "", "adevărat autentic generat fals artificial genuin"),
    "ru": ("не ни никогда без нет нельзя никто ничего ничто", "", "настоящ реальн подлинн сгенерир генерир поддельн фальшив искусствен"),
    "sv": ("inte ej ingen inget inga aldrig utan varken knappast", "", "äkta verklig generera falsk konstgjord autentisk artificiell"),
    "tr": ("değil yok hiç asla ne", "maz mez mıyor miyor muyor müyor madı medi", "gerçek sahte yapay üretil oluşturul hakiki"),
    "uk": (r"не ні ані ніколи без немає нема ніхто нічого жод\w+", "", "справжн реальн згенеров генеров підробл фальшив штучн автентичн"),
    "vi": ("không chẳng chưa đừng chả", "", "thật thực giả tạo"),
    "zh": ("", "不 没 沒 无 無 非(?!常) 未 (?<!是)否 勿", "真实 真實 真的 真品 真正 假 伪 偽 生成 合成 人工"),
}  # fmt: skip
# What a word goes on with: to Python, vowel signs and accents of Hebrew, Arabic, Indian and Thai letters are no part of words.
INSIDE = "[\\w\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff\u0e31-\u0e4e]"
JOINING = frozenset({"ar", "fa", "he", "ja", "ko", "zh"})  # words join others without a space: a stem may stand anywhere


@cache
def turning_words(primary: str) -> TurningWords | None:
    """Those of a language, by its primary tag; None where they are not known."""
    if primary not in WORDS:
        return None
    whole, parts, stems = (text.split() for text in WORDS[primary])
    begins = "" if primary in JOINING else f"(?<!{INSIDE})"
    return TurningWords(
        negation=_any([*(f"(?<!{INSIDE})(?:{word})(?!{INSIDE})" for word in whole), *parts]),
        verdict=_any([begins + stem for stem in stems]),
    )


def _any(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)
