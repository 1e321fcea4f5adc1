"""Words that turn a verdict round, by language: negations, what the language itself calls real and generated, and what begins a clause.

They are whole words and stems, enough to see that one came or went; what is said by other means cannot be seen by rule. In a language
that is not listed here, a sentence that says real or generated is not translated.
"""

import re
from dataclasses import dataclass
from functools import cache

from worker.moderation.translation.facts import PATTERNS


@dataclass(frozen=True, slots=True)
class TurningWords:
    """Patterns of one language: what negates; what stands for a verdict (groups literal, real and fake); where a clause ends."""

    negation: re.Pattern[str]
    verdict: re.Pattern[str]
    boundary: re.Pattern[str]


ENGLISH_NEGATION = re.compile(r"\b(?:not|no|never|neither|nor|none|nothing|nobody|nowhere|without|cannot|hardly)\b|n['’]t\b", re.IGNORECASE)
# What other languages may say by a negation: unnatural, seamless; lacks, differs, fails.
ENGLISH_ABSENCE = re.compile(
    r"\b(?:un(?:natur|real|usual|like|clear|even|read|convinc|match|relat|known|finish|defin|expect|interrupt)"
    r"|in(?:consist|correct|coher|compl|accur|distinct|valid)|im(?:poss|plaus|prop|perf)|ir(?:reg|relev)|il(?:leg|log)"
    r"|dis(?:prop|cont|conn|sim|agree|join)|mis(?:match|shap|align|form|plac)|non|lack|miss|absen|fail|devoid|free|refus|den[iy]"
    r"|differ|rather|instead|other|few|contradict)\w*|\w{3,}less(?:ly)?\b",
    re.IGNORECASE,
)
# By primary tag: patterns of whole words that negate; of parts of words that do; stems of what stands for real; for generated;
# words that begin a clause of their own. Words that merely subordinate one (`that`) begin none: a negation before them reaches behind them.
WORDS = {
    "ar": (
        "لا لم لن ليس ليست ليسوا غير بدون دون عدم ولا ولم ولن وليس وليست فلا فليس",
        "",
        "حقيقي واقعي أصلي أصيل",
        "مولد مزيف مصطنع صناعي اصطناعي زائف",
        "بل لكن ولكن لأن",
    ),
    "bg": ("не ни никога без няма никой нищо", "", "истинск реалн автентич", "генерир фалшив изкуствен синтетич", "а но и защото"),
    "cs": (
        r"ani nikdy bez žádn\w+ nic nikdo ne(?!bo\b|j[^s]|ž|het)\w*",
        "",
        "skutečn reáln prav[ýáé] autentick",
        "generov vygenerov falešn uměl syntetick",
        "a ale nýbrž protože",
    ),
    "da": (
        "ikke ingen intet aldrig uden hverken næppe ej",
        "",
        "ægte virkelig autentisk",
        "generere falsk kunstig syntet uægte",
        "og men fordi",
    ),
    "de": (
        r"nicht kein\w* nie niemals ohne weder nichts niemand kaum",
        "",
        "echt real(?!is) authentisch",
        "generier gefälscht fälsch verfälscht künstlich synthet unecht unauthentisch",
        "und aber sondern weil",
    ),
    "el": (
        "δεν μη μην όχι ούτε χωρίς κανένα καμία κανένας ποτέ τίποτα",
        "",
        "πραγματικ αληθιν γνήσι αυθεντικ",
        "ψεύτικ τεχνητ δημιουργημέν συνθετικ",
        "και αλλά γιατί επειδή",
    ),
    "es": (
        r"no ni nunca jamás sin ning[uú]n\w* nada nadie tampoco",
        "",
        r"aut[eé]ntic genuin verdader reales(?!\w) legítim",
        "generad fals artificial sintétic inaut[eé]ntic irreal",
        "y e pero sino porque aunque",
    ),
    "fa": ("نه بدون بی غیر هیچ نیست نیستند هرگز", "نمی", "واقعی حقیقی اصلی اصیل", "جعلی مصنوعی تولید ساختگی", "و اما بلکه زیرا"),
    "fi": (
        "ei eivät en et emme ette ilman eikä",
        "",
        "aito aida todelli",
        "generoi väären keinoteko synteet epäaito",
        "ja mutta vaan koska",
    ),
    "fr": (
        r"ne pas ni non jamais sans aucune? rien guère n['’]\w+",
        "",
        "réel vrai authentiqu véritab",
        "généré faux fausse artificiel synthétiq inauthentiqu irréel",
        "et mais",
    ),
    "he": (
        r"ש?ו?(?:לא|אין|אינו|אינה|אינם|אינן|בלי|ללא|מבלי)",
        "",
        "אמיתי מציאותי מקורי אותנטי",
        "מזויף מזויפ מלאכותי נוצר מחולל סינתטי",
        "אלא אבל",
    ),
    "hi": ("नहीं न मत बिना", "", "असली वास्तविक प्रामाणिक", "नकली कृत्रिम जनरेट सिंथेटिक", "और बल्कि लेकिन क्योंकि"),
    "hu": (
        "nem ne sem nincs nincsenek soha nélkül se semmi",
        "",
        "valód igazi eredeti hiteles",
        "generál hamis mesterség szintetik",
        "és de hanem mert",
    ),
    "id": (
        "tidak bukan tanpa jangan belum tak tiada",
        "",
        "asli nyata autentik sungguhan",
        "palsu buatan dihasilkan sintetis",
        "dan tetapi melainkan karena",
    ),
    "it": (
        r"non né mai senza nessun\w* niente nulla neppure",
        "",
        r"reale(?!\w) reali(?!\w) ver[oaie](?!\w) autentic genuin",
        "generat fals artificial sintetic",
        "e ed ma bensì perché",
    ),
    "ja": (
        "",
        r"(?<!少)ない (?<!少)なく なけれ ません (?<=[^\s])ず[、に] 無い なし",
        "本物 実物 実在 真正",
        "偽物 偽造 生成 人工 合成",
        "",
    ),
    "ko": ("안 못", "않 없 아니 못하", "진짜 실제", "가짜 위조 생성 인공 합성", ""),
    "nb": ("ikke ingen intet aldri uten verken neppe", "", "ekte virkelig autentisk", "generer falsk kunstig syntet uekte", "og men fordi"),
    "nl": (
        "niet geen nooit zonder noch niets niemand nauwelijks",
        "",
        "echt reëel reële authentiek",
        "genereer gegenereer nep vals kunstmatig synthet onecht",
        "en maar omdat",
    ),
    "no": (
        "ikke ingen intet aldri uten verken neppe ikkje utan",
        "",
        "ekte virkelig autentisk",
        "generer falsk kunstig syntet uekte",
        "og men fordi",
    ),
    "pl": (
        r"nie ani nigdy bez żad\w+ nic nikt brak",
        "",
        "prawdziw realn autentyczn",
        "wygenerow generow fałszyw sztuczn syntetyczn nieprawdziw nieautentyczn",
        "i a ale lecz ponieważ",
    ),
    "pt": (
        r"não nem nunca jamais sem nenhum\w* nada ninguém tampouco",
        "",
        r"verdadeir autêntic genuín reais(?!\w)",
        "gerad fals artificial sintétic inautêntic irreal",
        "e mas porque embora",
    ),
    "ro": (
        r"nu nici niciodată fără nicio? niciun nimic nimeni n-\w+",
        "",
        r"adevărat autentic genuin real[ăeiu](?!\w)",
        "generat fals artificial sintetic neautentic",
        "și dar ci deoarece",
    ),
    "ru": (
        "не ни никогда без нет нельзя никто ничего ничто",
        "",
        "настоящ реальн подлинн",
        "сгенерир генерир поддельн фальшив искусствен синтетич ненастоящ",
        "а но и потому",
    ),
    "sv": (
        "inte ej ingen inget inga aldrig utan varken knappast",
        "",
        "äkta verklig autentisk",
        "generera falsk konstgjord artificiell syntet oäkta",
        "och men eftersom",
    ),
    "tr": (
        "değil yok hiç asla ne",
        "maz mez mıyor miyor muyor müyor madı medi",
        "gerçek(?!çi) hakiki otantik",
        "sahte yapay üretil oluşturul sentetik",
        "ve ama ancak fakat",
    ),
    "uk": (
        r"не ні ані ніколи без немає нема ніхто нічого жод\w+",
        "",
        "справжн реальн автентичн",
        "згенеров генеров підробл фальшив штучн синтетич несправжн",
        "а але і й",
    ),
    "vi": ("không chẳng chưa đừng chả", "", "thật thực", r"giả(?:\stạo)? tạo", "và nhưng vì"),
    "zh": (
        "",
        r"不(?!自然|一致|规则|規則|对称|對稱|协调|協調|连贯|連貫|清) 没 沒 无 無 非(?!常) 未 (?<!是)否 勿",
        "真实 真實 真的 真品 真正",
        "假 伪 偽 生成 合成 人工",
        "而是 但 因为 因為",
    ),
}
LATIN_FAKE = r"(?:deep)?fake"  # in every language
# What a word goes on with: to Python, vowel signs and accents of Hebrew, Arabic, Indian and Thai letters are no part of words.
INSIDE = "[\\w\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff\u0e31-\u0e4e]"
JOINING = frozenset({"ar", "fa", "he", "ja", "ko", "zh"})  # words join others without a space: a stem may stand anywhere
ENDLESS = frozenset({"ja", "zh"})  # no word has an end
LITERAL = f"(?P<literal>{PATTERNS['verdict']})"
STOPS = r"[,;:.!?…()—–、，；：。！？،؛۔।]|\s-\s"
# What is said of the clause before: a comma in front of it parts nothing.
SUBORDINATORS = "that|dass|daß|que|qu|che|że|že|hogy|att|dat|că|что|що|че|ότι|πως"
BEHIND = {"ja": "(?<=なく)", "ko": "(?<=아니라)"}  # `not this, but`, written without a stop
ENGLISH = TurningWords(
    negation=ENGLISH_NEGATION,
    verdict=re.compile(
        rf"{LITERAL}|(?P<fake>\b(?:inauthentic|unreal\b|(?:deep)?fak(?:e|ing|ery)|artificial|synthe[ts])\w*)"
        r"|(?P<real>\b(?:authentic|genuin)\w*)",
        re.IGNORECASE,
    ),
    boundary=re.compile(rf"(?:{STOPS})(?!\s*that\b)|\b(?=(?:and|but|nor|because|although|though|whereas|which)\b)", re.IGNORECASE),
)


@cache
def turning_words(primary: str) -> TurningWords | None:
    """Those of a language, by its primary tag; None where they are not known."""
    if primary not in WORDS:
        return None
    whole, parts, real, fake, clauses = (text.split() for text in WORDS[primary])
    begins, ends = ("", "") if primary in ENDLESS else (f"(?<!{INSIDE})", f"(?!{INSIDE})")
    anywhere = "" if primary in JOINING else begins
    sides = (("real", real), ("fake", [*fake, LATIN_FAKE]))
    named = [LITERAL, *(f"(?P<{side}>{anywhere}(?:{'|'.join(stems)}))" for side, stems in sides)]
    boundary = [rf"(?:{STOPS})(?!\s*(?:{SUBORDINATORS})\b)", *(f"{begins}(?={word}{ends})" for word in clauses)]
    return TurningWords(
        negation=_any([*(f"(?<!{INSIDE})(?:{word})(?!{INSIDE})" for word in whole), *parts]),
        verdict=_any(named),
        boundary=_any([*boundary, *([BEHIND[primary]] if primary in BEHIND else [])]),
    )


def _any(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)
