"""Words that turn a verdict round, by language: negations, what the language itself calls real and generated, and what begins a clause.

They are whole words and stems, enough to see that one came or went; what is said by other means cannot be seen by rule. In a language
that is not listed here, a sentence that says real or generated is not translated.
"""

# A verb that is negated, of whatever stem; not an adjective or a noun by its ending, nor `or`, nails, nerves, the sky.
CZECH_NOT = r"ne(?!bo\b|j[^s]|ž|het|hty|rv|b[ei]|\w*(?:[éý]|[éý]ho|[ýé]m|ých|ými|ost\w{0,3})\b)\w*"
# Not `few`, `no doubt`, `may be`, `awkward`.
JAPANESE_NOT = "(?<!少)(?<!違い)(?<!かもしれ)(?<!ぎこち)ない (?<!少)(?<!違い)なく (?<!違いあり)(?<!かもしれ)ません"
JAPANESE_DENIAL = "がた[いく] 難[いく] じゃねえ ならず あらず 以外 疑わし 否定 いわゆる"
# Not before what is odd in a picture, and calls it neither: unnatural, irregular, asymmetric, unclear; nor in `but`, `on and on`.
CHINESE_NOT = (
    "不(?!自然|规则|規則|对称|對稱|协调|協調|连贯|連貫|清|正常|寻常|尋常|合理|均匀|均勻|连续|連續|完整|过|過|断|斷|一致[的地表说顯显說])"
)
# By primary tag: patterns of whole words that negate; of parts of words that do; stems of what stands for real; for generated;
# words that begin a clause of their own. Words that merely subordinate one (`that`) begin none: a negation before them reaches behind them.
# A denial (`anything but`, `supposedly`) is a negation, too. Spaces within a pattern are written \\s.
WORDS = {
    "ar": (
        r"[وف]?(?:لا|لم|لن|ليس\w*|لست|لسنا) [وفبلك]?(?:ال)?(?:غير|بدون|دون|عدم) و?بلا مستبعد\w* مزعوم\w*",
        "",
        "حقيقي واقعي أصلي أصيل",
        "مولد مزيف مزور مفبرك مصطنع صناعي اصطناعي زائف",
        "بل لكن ولكن لأن",
    ),
    "bg": ("не ни никога без няма никой нищо", "", "истинск реалн автентич", "генерир фалшив изкуствен синтетич", "а но и защото"),
    "cs": (
        rf"ani nikdy bez žádn\w+ nic nikdo nikoli\w* sotva stěží údajn\w* {CZECH_NOT}",
        "",
        "skutečn reáln prav[ýáé] autentick",
        "generov vygenerov falešn uměl syntetick padělan",
        "a ale nýbrž protože",
    ),
    "da": (
        "ikke ingen intet aldrig uden hverken næppe ej",
        "",
        "ægte virkelig autentisk",
        "generere falsk kunstig syntet",
        "og men fordi",
    ),
    "de": (
        r"nicht kein\w* nie niemals nimmer\w* ohne weder nichts niemand nirgend\w* kaum mitnichten alles\sandere\sals angeblich\w*",
        "",
        "echt real(?!is) authentisch",
        "generier gefälscht fälsch verfälscht künstlich synthet",
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
        r"no ni nunca jamás sin ning[uú]n\w* nada nadie tampoco apenas lejos\sde\s(?:ser|parecer) todo\smenos supuest\w+ presunt\w+",
        "",
        r"aut[eé]ntic genuin verdader reales(?!\w) legítim",
        "generad fals artificial sintétic irreal",
        "y e pero sino porque aunque",
    ),
    "fa": ("نه بدون بی غیر هیچ نیست نیستند هرگز", "نمی", "واقعی حقیقی اصلی اصیل", "جعلی مصنوعی تولید ساختگی", "و اما بلکه زیرا"),
    "fi": (
        "ei eivät en et emme ette ilman eikä",
        "",
        "aito aida todelli",
        "generoi väären keinoteko synteet",
        "ja mutta vaan koska",
    ),
    "fr": (
        r"ne pas ni non jamais sans aucune? rien guère n['’]\w+ nullement aucunement loin\sd['’]être tout\ssauf prétendu\w* soi-disant",
        "",
        "réel vrai authentiqu véritab",
        "généré faux fausse artificiel synthétiq falsifi truqu irréel",
        "et mais",
    ),
    "he": (
        r"ו?(?:כש|ש)?(?:לא|אין|אינ\w{1,3}|בלי|ללא|מבלי|בלתי|אי|בל) כביכול רחוק\w{0,2}\sמלהיות",
        "",
        "אמיתי אמית מציאותי מקורי אותנטי",
        "מזויף מזויפ מפוברק מלאכותי נוצר מחולל סינתטי",
        "אלא אבל",
    ),
    "hi": (
        r"नहीं नही नहिं न ना मत बिना गैर ग़ैर शायद\sही कथित",
        "",
        "असली वास्तविक प्रामाणिक",
        "नकली कृत्रिम जनरेट सिंथेटिक फर्जी फ़र्ज़ी बनावटी",
        "और बल्कि लेकिन क्योंकि",
    ),
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
        r"non né mai senza nessun\w* niente nulla neppure nemmeno neanche mica tutt['’]altro\sche lontan\w\sdall['’]essere presunt\w*",
        "",
        r"reale(?!\w) reali(?!\w) ver[oaie](?!\w) autentic genuin",
        "generat fals artificial sintetic contraffatt irreal",
        "e ed ma bensì perché",
    ),
    "ja": (
        "",
        f"{JAPANESE_NOT} なかっ なけれ (?<=[^\\s])ず[、に] 無い なし ナイ {JAPANESE_DENIAL}",
        "本物 実物 実在 真正",
        "偽物 偽造 生成 人工 合成 フェイク",
        "",
    ),
    "ko": ("안 못", "않 없 아[니닌닐님닙] 못[하한할함합했]", "진짜 실제", "가짜 위조 생성 인공 합성", ""),
    "nb": ("ikke ingen intet aldri uten verken neppe", "", "ekte virkelig autentisk", "generer falsk kunstig syntet", "og men fordi"),
    "nl": (
        r"niet geen nooit zonder noch niets niemand nergens nauwelijks amper allerminst geenszins allesbehalve verre\svan zogenaamd\w*",
        "",
        "echt reëel reële authentiek",
        "genereer gegenereer nep vals kunstmatig synthet vervals",
        "en maar omdat",
    ),
    "no": (
        "ikke ingen intet aldri uten verken neppe ikkje utan",
        "",
        "ekte virkelig autentisk",
        "generer falsk kunstig syntet",
        "og men fordi",
    ),
    "pl": (
        r"nie ani nigdy bez żad\w+ nic nikt brak\w* bynajmniej ledwie ledwo dalek\w+\sod rzekom\w+",
        "",
        "prawdziw realn autentyczn",
        "wygenerow generow fałszyw sfałszow sztuczn syntetyczn",
        "i a ale lecz ponieważ",
    ),
    "pt": (
        r"não nem nunca jamais sem nenhum\w* nada ninguém tampouco sequer longe\sde\s(?:ser|parecer) tudo\smenos supost\w+",
        "",
        r"verdadeir autêntic genuín reais(?!\w)",
        "gerad fals artificial sintétic irreal",
        "e mas porque embora",
    ),
    "ro": (
        r"nu nici niciodată fără nicio? niciun nimic nimeni n-\w+",
        "",
        r"adevărat autentic genuin real[ăeiu](?!\w)",
        "generat fals artificial sintetic",
        "și dar ci deoarece",
    ),
    "ru": (
        "не ни никогда без нет нельзя никто ничего ничто",
        "",
        "настоящ реальн подлинн",
        "сгенерир генерир поддельн фальшив искусствен синтетич",
        "а но и потому",
    ),
    "sv": (
        "inte ej ingen inget inga aldrig utan varken knappast",
        "",
        "äkta verklig autentisk",
        "generera falsk konstgjord artificiell syntet",
        "och men eftersom",
    ),
    "tr": (
        r"değil\w* yok(?:tur|sa|ken|muş)? hiç\w* asla ne güya sözde olmaktan\s(?:çok\s)?uzak",
        "maz mez mıyor miyor muyor müyor madı medi mamış memiş madan meden mama[lk] meme[lk] ma(?:yan|yıp|yacak) me(?:yen|yip|yecek)",
        "gerçek(?!çi) hakiki otantik",
        "sahte yapay üretil oluşturul sentetik düzmece",
        "ve ama ancak fakat",
    ),
    "uk": (
        r"не ні ані ніколи ніяк\w* без немає нема нет ніхто нічого жод\w+ навряд ледве далек\w+\sвід нібито",
        "",
        "справжн реальн автентичн",
        "згенеров генеров підробл підробк фальшив штучн синтетич",
        "а але і й",
    ),
    "vi": ("không chẳng chưa đừng chả", "", "thật thực", r"giả(?:\stạo)? tạo", "và nhưng vì"),
    "zh": (
        "",
        f"{CHINESE_NOT} 没 沒 [无無](?!疑) 非(?!常) 未 (?<!是)否 勿 莫 难以 難以 所谓 所謂 除外 以外",
        "真实 真實 真的 真品 真正",
        "假 [伪偽](?!影) 生成 合成 人工",
        "而是 但 因为 因為",
    ),
}
# What makes the opposite of a verdict as part of the word: `unecht`, `irréel`, `nieprawdziwy`.
TURNING_PREFIXES = {
    **dict.fromkeys(("bg", "ru"), "не"),
    **dict.fromkeys(("cs", "ro"), "ne"),
    **dict.fromkeys(("da", "nb", "no"), "u"),
    **dict.fromkeys(("es", "fr", "it", "pt"), "in|ir|non?"),
    "de": "un|nicht",
    "fi": "epä",
    "nl": "on|niet",
    "pl": "nie",
    "sv": "o",
    "uk": "не",
}
# Signs that turn the word they stand before, in languages that put no space there.
TURNING_SIGNS = {"ja": "非不未無反", "ko": "비불미무반안못", "zh": "非不未无無反"}
# Where several negations make one (`ne … pas`, `noch … noch`): those of which a second one takes the first back. Elsewhere every one does.
PLAIN = {
    "ar": r"ف?(?:لا|لم|لن) [وف]?ليس\w* [وفبلك]?(?:ال)?(?:غير|بدون|دون|عدم)",
    "bg": "не без",
    "cs": f"{CZECH_NOT} bez",
    "el": "δεν μη μην χωρίς",
    "es": "no sin",
    "fr": "pas non sans",
    "hu": "nem nélkül",
    "hi": "नहीं नही नहिं मत बिना गैर ग़ैर",
    "it": "non senza",
    "nl": "niet geen zonder",
    "pl": "nie bez",
    "pt": "não sem",
    "ro": "nu fără",
    "ru": "не без нет",
    "tr": r"değil\w* yok\w* \w*(?:maz|mez|m[ıiuü]yor)\w*",
    "uk": "не без немає",
}
# What a language writes onto a word without a space, and what that may be: articles, `and`, `as`, case endings behind an apostrophe.
BEFORE = {
    "ar": '[وف]?(?:ال|[بكل]ال|لل|[بكل])?["“«]?',
    "fr": "(?:l|d|qu)['’]",
    "he": 'ו?(?:כש|ש)?(?:מה|[הבכלמ])?[-־]?["“„]?',
    "it": "(?:l|d|un|(?:de|a|da|ne|su)ll)['’]",
}
BEHIND = {"hu": r"-\w{1,4}", "ko": "['’\"”]?\\w{1,8}", "tr": "['’\"”](?!s[ıiuü]z)\\w{1,6}"}
# `AI-generated` is written with a hyphen in most languages; what each calls AI.
MACHINES = frozenset({"ai", "ki", "ia", "ии", "ші", "ui", "si", "yz", "mi", "bz", "ті", "एआई"})
# Artificial intelligence, by its name: an English `AI` may become that, and calls no image artificial.
MACHINE_NAMES = {
    "ar": r"\w{0,3}ذكاء\w*\s+(?:ال)?[اإ]صطناعي\w*",
    "bg": r"изкуствен\w*\s+интелект\w*",
    "cs": r"uměl\w+\s+inteligenc\w+",
    "da": r"kunstig\w*\s+intelligens",
    "de": r"künstlich\w*\s+intelligenz",
    "el": r"τεχνητή\w*\s+νοημοσύνη\w*",
    "es": r"inteligencia\s+artificial",
    "fa": r"هوش\s+مصنوعی",
    "fr": r"intelligence\s+artificielle",
    "he": r"\w?בינה\s+ה?מלאכותית",
    "hi": r"कृत्रिम\s+बुद्धि\S*",
    "hu": r"mesterséges\s+intelligenci\w*",
    "id": r"kecerdasan\s+buatan",
    "it": r"intelligenza\s+artificiale",
    "ja": "人工知能",
    "ko": r"인공\s?지능",
    "nb": r"kunstig\s+intelligens",
    "nl": r"kunstmatige\s+intelligentie",
    "no": r"kunstig\s+intelligens",
    "pl": r"sztuczn\w+\s+inteligencj\w+",
    "pt": r"inteligência\s+artificial",
    "ro": r"inteligenț\w+\s+artificial\w+",
    "ru": r"искусственн\w+\s+интеллект\w*",
    "sv": r"artificiell\s+intelligens",
    "tr": r"yapay\s+zek[aâ]\w*",
    "uk": r"штучн\w+\s+інтелект\w*",
    "vi": r"trí\stuệ\snhân\stạo",
    "zh": "人工智[能慧]",
}
