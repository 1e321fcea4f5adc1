"""Sentences as models write them of images, with good translations; slots stand for what must stay. `{}` in order of appearance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from worker.moderation.translation.passages import Field, Passage

# English, then by language. Slots: N a number, R a region, B a box, V a verdict, G the word generated, L a link, M markup.
FINGERS = "Region {R} shows a hand with {N} fingers."
BLEND = "The edges in {B} blend into the background."
LIGHT = "The lighting on the face does not match the shadow."
REPEAT = "Regions {R} and {R} repeat the same texture."
LOOKS = "Overall the image looks {V}."
SIGN = "The letters on the sign are not readable."
SMOOTH = "About {N} of the skin is unnaturally smooth."
NOT = "The image does not look {V}."
SALE = "The sign says {M}SALE{M} in melted letters."
READS = "The watermark reads {L} in the corner."
BECAUSE = "Because of region {R} the verdict is {V}."
SHADOWS = "The inconsistent shadows show that the image is {V}."
BUT = "The image is not {V} but {V}."
PHOTOGRAPH = "The photograph shows smooth skin in natural light."
AUTHENTIC = "The picture is not authentic."
MACHINE = "The face looks AI-{G}."
HAND = "hand with too many fingers"
PORES = "smooth skin without pores"
WARPED = "warped letters on a sign"
SENTENCES = (FINGERS, BLEND, LIGHT, REPEAT, LOOKS, SIGN, SMOOTH, NOT, SALE, READS, BECAUSE, SHADOWS, BUT, PHOTOGRAPH, AUTHENTIC, MACHINE)
NOTES = (HAND, PORES, WARPED)

TRANSLATIONS: Mapping[str, Mapping[str, str]] = {
    "de": {
        FINGERS: "Bereich {} zeigt eine Hand mit {} Fingern.",
        BLEND: "Die Kanten in {} verschwimmen mit dem Hintergrund.",
        LIGHT: "Das Licht auf dem Gesicht passt nicht zum Schatten.",
        REPEAT: "Die Bereiche {} und {} wiederholen dieselbe Struktur.",
        LOOKS: "Insgesamt wirkt das Bild {}.",
        SIGN: "Die Buchstaben auf dem Schild sind nicht lesbar.",
        SMOOTH: "Etwa {} der Haut sind unnatürlich glatt.",
        NOT: "Das Bild sieht nicht {} aus.",
        SALE: "Auf dem Schild steht {}SALE{} in geschmolzenen Buchstaben.",
        READS: "Das Wasserzeichen lautet {} in der Ecke.",
        BECAUSE: "Wegen Bereich {} lautet das Urteil {}.",
        SHADOWS: "Die widersprüchlichen Schatten zeigen, dass das Bild {} ist.",
        BUT: "Das Bild ist nicht {}, sondern {}.",
        PHOTOGRAPH: "Das Foto zeigt glatte Haut in natürlichem Licht.",
        AUTHENTIC: "Das Bild ist nicht authentisch.",
        MACHINE: "Das Gesicht wirkt KI-{}.",
        HAND: "Hand mit zu vielen Fingern",
        PORES: "glatte Haut ohne Poren",
        WARPED: "verzogene Buchstaben auf einem Schild",
    },
    "fr": {
        FINGERS: "La région {} montre une main avec {} doigts.",
        BLEND: "Les bords dans {} se fondent dans l'arrière-plan.",
        LIGHT: "L'éclairage du visage ne correspond pas à l'ombre.",
        REPEAT: "Les régions {} et {} répètent la même texture.",
        LOOKS: "Dans l'ensemble, l'image semble {}.",
        SIGN: "Les lettres sur le panneau ne sont pas lisibles.",
        SMOOTH: "Environ {} de la peau est anormalement lisse.",
        NOT: "L'image ne semble pas {}.",
        SALE: "Le panneau dit {}SALE{} en lettres fondues.",
        READS: "Le filigrane indique {} dans le coin.",
        BECAUSE: "À cause de la région {}, le verdict est {}.",
        SHADOWS: "Les ombres incohérentes montrent que l'image est {}.",
        BUT: "L'image n'est pas {} mais {}.",
        PHOTOGRAPH: "La photo montre une peau lisse à la lumière naturelle.",
        AUTHENTIC: "L'image n'est pas authentique.",
        MACHINE: "Le visage semble {} par intelligence artificielle.",
        HAND: "main avec trop de doigts",
        PORES: "peau lisse sans pores",
        WARPED: "lettres déformées sur un panneau",
    },
    "es": {
        FINGERS: "La región {} muestra una mano con {} dedos.",
        BLEND: "Los bordes en {} se funden con el fondo.",
        LIGHT: "La iluminación del rostro no coincide con la sombra.",
        REPEAT: "Las regiones {} y {} repiten la misma textura.",
        LOOKS: "En conjunto, la imagen parece {}.",
        SIGN: "Las letras del cartel no se pueden leer.",
        SMOOTH: "Cerca del {} de la piel es anormalmente lisa.",
        NOT: "La imagen no parece {}.",
        SALE: "El cartel dice {}SALE{} en letras derretidas.",
        READS: "La marca de agua dice {} en la esquina.",
        BECAUSE: "Por la región {}, el veredicto es {}.",
        SHADOWS: "Las sombras incoherentes muestran que la imagen es {}.",
        BUT: "La imagen no es {} sino {}.",
        PHOTOGRAPH: "La fotografía muestra piel lisa con luz natural.",
        AUTHENTIC: "La imagen no es auténtica.",
        MACHINE: "El rostro parece {} por IA.",
        HAND: "mano con demasiados dedos",
        PORES: "piel lisa sin poros",
        WARPED: "letras deformadas en un cartel",
    },
    "uk": {
        FINGERS: "Ділянка {} показує руку з {} пальцями.",
        BLEND: "Краї в {} зливаються з тлом.",
        LIGHT: "Освітлення обличчя не відповідає тіні.",
        REPEAT: "Ділянки {} і {} повторюють ту саму текстуру.",
        LOOKS: "Загалом зображення виглядає як {}.",
        SIGN: "Літери на вивісці неможливо прочитати.",
        SMOOTH: "Близько {} шкіри неприродно гладкі.",
        NOT: "Зображення не виглядає як {}.",
        SALE: "На вивісці написано {}SALE{} розплавленими літерами.",
        READS: "Водяний знак у кутку: {} у куті.",
        BECAUSE: "Через ділянку {} вердикт такий: {}.",
        SHADOWS: "Суперечливі тіні показують, що зображення {}.",
        BUT: "Зображення не {}, а {}.",
        PHOTOGRAPH: "На світлині видно гладку шкіру за природного світла.",
        AUTHENTIC: "Зображення не справжнє.",
        MACHINE: "Обличчя виглядає як {} штучним інтелектом.",
        HAND: "рука із зайвими пальцями",
        PORES: "гладка шкіра без пор",
        WARPED: "викривлені літери на вивісці",
    },
    "tr": {
        FINGERS: "Bölge {}, {} parmaklı bir el gösteriyor.",
        BLEND: "{} içindeki kenarlar arka plana karışıyor.",
        LIGHT: "Yüzdeki ışık gölgeyle uyuşmuyor.",
        REPEAT: "Bölge {} ve {} aynı dokuyu tekrarlıyor.",
        LOOKS: "Genel olarak görüntü {} görünüyor.",
        SIGN: "Tabeladaki harfler okunamıyor.",
        SMOOTH: "Cildin yaklaşık {} kadarı doğal olmayan biçimde pürüzsüz.",
        NOT: "Görüntü {} görünmüyor.",
        SALE: "Tabelada erimiş harflerle {}SALE{} yazıyor.",
        READS: "Filigranda köşede {} yazıyor.",
        BECAUSE: "Bölge {} nedeniyle karar {}.",
        SHADOWS: "Tutarsız gölgeler görüntünün {} olduğunu gösteriyor.",
        BUT: "Görüntü {} değil, {}.",
        PHOTOGRAPH: "Fotoğraf doğal ışıkta pürüzsüz bir cilt gösteriyor.",
        AUTHENTIC: "Görüntü gerçek değil.",
        MACHINE: "Yüz, yapay zekâ ile {} gibi görünüyor.",
        HAND: "çok fazla parmağı olan el",
        PORES: "gözeneksiz pürüzsüz cilt",
        WARPED: "tabelada eğri büğrü harfler",
    },
    "ar": {
        FINGERS: "تُظهر المنطقة {} يدًا فيها {} أصابع.",
        BLEND: "تمتزج الحواف في {} مع الخلفية.",
        LIGHT: "إضاءة الوجه لا تتطابق مع الظل.",
        REPEAT: "تكرر المنطقتان {} و {} النسيج نفسه.",
        LOOKS: "تبدو الصورة إجمالًا {}.",
        SIGN: "الحروف على اللافتة لا يمكن قراءتها.",
        SMOOTH: "نحو {} من الجلد ناعم بشكل غير طبيعي.",
        NOT: "لا تبدو الصورة {}.",
        SALE: "تقول اللافتة {}SALE{} بحروف ذائبة.",
        READS: "العلامة المائية في الزاوية هي {} في الركن.",
        BECAUSE: "بسبب المنطقة {} فإن الحكم هو {}.",
        SHADOWS: "تُظهر الظلال المتضاربة أن الصورة {}.",
        BUT: "ليست الصورة {} بل {}.",
        PHOTOGRAPH: "تُظهر الصورة جلدًا ناعمًا في ضوء طبيعي.",
        AUTHENTIC: "الصورة ليست حقيقية.",
        MACHINE: "يبدو الوجه {} بالذكاء الاصطناعي.",
        HAND: "يد فيها أصابع كثيرة جدًا",
        PORES: "جلد ناعم بلا مسام",
        WARPED: "حروف مشوهة على لافتة",
    },
    "he": {
        FINGERS: "אזור {} מראה יד עם {} אצבעות.",
        BLEND: "הקצוות בתוך {} מתמזגים ברקע.",
        LIGHT: "התאורה על הפנים אינה תואמת את הצל.",
        REPEAT: "אזורים {} ו-{} חוזרים על אותו מרקם.",
        LOOKS: "באופן כללי התמונה נראית {}.",
        SIGN: "האותיות על השלט אינן קריאות.",
        SMOOTH: "כ-{} מהעור חלק באופן לא טבעי.",
        NOT: "התמונה לא נראית {}.",
        SALE: "על השלט כתוב {}SALE{} באותיות מומסות.",
        READS: "סימן המים אומר {} בפינה.",
        BECAUSE: "בגלל אזור {} הפסיקה היא {}.",
        SHADOWS: "הצללים הסותרים מראים שהתמונה היא {}.",
        BUT: "התמונה אינה {} אלא {}.",
        PHOTOGRAPH: "התצלום מראה עור חלק באור טבעי.",
        AUTHENTIC: "התמונה אינה אמיתית.",
        MACHINE: "הפנים נראות {} על ידי בינה מלאכותית.",
        HAND: "יד עם יותר מדי אצבעות",
        PORES: "עור חלק ללא נקבוביות",
        WARPED: "אותיות מעוותות על שלט",
    },
    "ja": {
        FINGERS: "領域{}には指が{}本ある手が写っています。",
        BLEND: "{}の縁が背景に溶け込んでいます。",
        LIGHT: "顔の照明が影と一致していません。",
        REPEAT: "領域{}と{}は同じ質感を繰り返しています。",
        LOOKS: "全体として画像は{}に見えます。",
        SIGN: "看板の文字は読み取れません。",
        SMOOTH: "肌の約{}が不自然に滑らかです。",
        NOT: "画像は{}には見えません。",
        SALE: "看板には溶けた文字で{}SALE{}と書かれています。",
        READS: "隅の透かしには{}と書かれています。",
        BECAUSE: "領域{}のため、判定は{}です。",
        SHADOWS: "矛盾した影は画像が{}であることを示しています。",
        BUT: "画像は{}ではなく{}です。",
        PHOTOGRAPH: "写真には自然光の中の滑らかな肌が写っています。",
        AUTHENTIC: "この画像は本物ではありません。",
        MACHINE: "顔はAIで{}されたように見えます。",
        HAND: "指が多すぎる手",
        PORES: "毛穴のない滑らかな肌",
        WARPED: "看板のゆがんだ文字",
    },
    "zh-Hans": {
        FINGERS: "区域 {} 显示一只有 {} 根手指的手。",
        BLEND: "{} 中的边缘与背景融为一体。",
        LIGHT: "脸上的光线与阴影不符。",
        REPEAT: "区域 {} 和 {} 重复相同的纹理。",
        LOOKS: "总体而言，图像看起来是 {}。",
        SIGN: "标志上的字母无法辨认。",
        SMOOTH: "约 {} 的皮肤异常光滑。",
        NOT: "图像看起来不是 {}。",
        SALE: "标志上用融化的字母写着 {}SALE{} 字样。",
        READS: "角落的水印写着 {} 字样。",
        BECAUSE: "由于区域 {}，判定为 {}。",
        SHADOWS: "不一致的阴影表明图像是 {}。",
        BUT: "图像不是 {}，而是 {}。",
        PHOTOGRAPH: "照片显示自然光下光滑的皮肤。",
        AUTHENTIC: "这张图像不是真实的。",
        MACHINE: "脸看起来是人工智能 {} 的。",
        HAND: "手指过多的手",
        PORES: "没有毛孔的光滑皮肤",
        WARPED: "标志上扭曲的字母",
    },
    "hi": {
        FINGERS: "क्षेत्र {} में {} उंगलियों वाला हाथ दिखता है।",
        BLEND: "{} में किनारे पृष्ठभूमि में घुल जाते हैं।",
        LIGHT: "चेहरे पर रोशनी छाया से मेल नहीं खाती।",
        REPEAT: "क्षेत्र {} और {} एक ही बनावट दोहराते हैं।",
        LOOKS: "कुल मिलाकर छवि {} लगती है।",
        SIGN: "संकेत पर अक्षर पढ़े नहीं जा सकते।",
        SMOOTH: "त्वचा का लगभग {} भाग अस्वाभाविक रूप से चिकना है।",
        NOT: "छवि {} नहीं लगती।",
        SALE: "संकेत पर पिघले अक्षरों में {}SALE{} लिखा है।",
        READS: "कोने में वॉटरमार्क पर {} लिखा है।",
        BECAUSE: "क्षेत्र {} के कारण निर्णय {} है।",
        SHADOWS: "असंगत छायाएँ दिखाती हैं कि छवि {} है।",
        BUT: "छवि {} नहीं बल्कि {} है।",
        PHOTOGRAPH: "तस्वीर प्राकृतिक रोशनी में चिकनी त्वचा दिखाती है।",
        AUTHENTIC: "छवि असली नहीं है।",
        MACHINE: "चेहरा AI-{} लगता है।",
        HAND: "बहुत अधिक उंगलियों वाला हाथ",
        PORES: "बिना रोमछिद्रों की चिकनी त्वचा",
        WARPED: "संकेत पर टेढ़े अक्षर",
    },
    "it": {
        FINGERS: "La regione {} mostra una mano con {} dita.",
        BLEND: "I bordi in {} si fondono con lo sfondo.",
        LIGHT: "L'illuminazione del volto non corrisponde all'ombra.",
        REPEAT: "Le regioni {} e {} ripetono la stessa trama.",
        LOOKS: "Nel complesso l'immagine sembra {}.",
        SIGN: "Le lettere sul cartello non sono leggibili.",
        SMOOTH: "Circa il {} della pelle è innaturalmente liscio.",
        NOT: "L'immagine non sembra {}.",
        SALE: "Il cartello dice {}SALE{} in lettere fuse.",
        READS: "La filigrana riporta {} nell'angolo.",
        BECAUSE: "A causa della regione {} il verdetto è {}.",
        SHADOWS: "Le ombre incoerenti mostrano che l'immagine è {}.",
        BUT: "L'immagine non è {} ma {}.",
        PHOTOGRAPH: "La fotografia mostra pelle liscia in luce naturale.",
        AUTHENTIC: "L'immagine non è autentica.",
        MACHINE: "Il volto sembra {} dall'IA.",
        HAND: "mano con troppe dita",
        PORES: "pelle liscia senza pori",
        WARPED: "lettere deformate su un cartello",
    },
    "pt": {
        FINGERS: "A região {} mostra uma mão com {} dedos.",
        BLEND: "As bordas em {} se misturam ao fundo.",
        LIGHT: "A iluminação do rosto não corresponde à sombra.",
        REPEAT: "As regiões {} e {} repetem a mesma textura.",
        LOOKS: "No geral, a imagem parece {}.",
        SIGN: "As letras na placa não são legíveis.",
        SMOOTH: "Cerca de {} da pele é lisa de modo não natural.",
        NOT: "A imagem não parece {}.",
        SALE: "A placa diz {}SALE{} em letras derretidas.",
        READS: "A marca d'água diz {} no canto.",
        BECAUSE: "Por causa da região {}, o veredito é {}.",
        SHADOWS: "As sombras incoerentes mostram que a imagem é {}.",
        BUT: "A imagem não é {}, mas {}.",
        PHOTOGRAPH: "A fotografia mostra pele lisa em luz natural.",
        AUTHENTIC: "A imagem não é autêntica.",
        MACHINE: "O rosto parece {} por inteligência artificial.",
        HAND: "mão com dedos demais",
        PORES: "pele lisa sem poros",
        WARPED: "letras deformadas em uma placa",
    },
    "nl": {
        FINGERS: "Gebied {} toont een hand met {} vingers.",
        BLEND: "De randen in {} lopen over in de achtergrond.",
        LIGHT: "Het licht op het gezicht past niet bij de schaduw.",
        REPEAT: "De gebieden {} en {} herhalen dezelfde structuur.",
        LOOKS: "Over het geheel ziet het beeld er {} uit.",
        SIGN: "De letters op het bord zijn niet leesbaar.",
        SMOOTH: "Ongeveer {} van de huid is onnatuurlijk glad.",
        NOT: "Het beeld ziet er niet {} uit.",
        SALE: "Op het bord staat {}SALE{} in gesmolten letters.",
        READS: "Het watermerk luidt {} in de hoek.",
        BECAUSE: "Vanwege gebied {} luidt het oordeel {}.",
        SHADOWS: "De tegenstrijdige schaduwen laten zien dat het beeld {} is.",
        BUT: "Het beeld is niet {} maar {}.",
        PHOTOGRAPH: "De foto toont een gladde huid in natuurlijk licht.",
        AUTHENTIC: "Het beeld is niet authentiek.",
        MACHINE: "Het gezicht lijkt AI-{}.",
        HAND: "hand met te veel vingers",
        PORES: "gladde huid zonder poriën",
        WARPED: "vervormde letters op een bord",
    },
    "pl": {
        FINGERS: "Obszar {} pokazuje dłoń z {} palcami.",
        BLEND: "Krawędzie w {} zlewają się z tłem.",
        LIGHT: "Oświetlenie twarzy nie pasuje do cienia.",
        REPEAT: "Obszary {} i {} powtarzają tę samą teksturę.",
        LOOKS: "Ogólnie obraz wygląda na {}.",
        SIGN: "Liter na znaku nie da się odczytać.",
        SMOOTH: "Około {} skóry jest nienaturalnie gładkie.",
        NOT: "Obraz nie wygląda na {}.",
        SALE: "Na znaku widnieje {}SALE{} roztopionymi literami.",
        READS: "Znak wodny brzmi {} w rogu.",
        BECAUSE: "Z powodu obszaru {} werdykt brzmi {}.",
        SHADOWS: "Sprzeczne cienie pokazują, że obraz jest {}.",
        BUT: "Obraz nie jest {}, lecz {}.",
        PHOTOGRAPH: "Zdjęcie pokazuje gładką skórę w naturalnym świetle.",
        AUTHENTIC: "Obraz nie jest autentyczny.",
        MACHINE: "Twarz wygląda na {} przez sztuczną inteligencję.",
        HAND: "dłoń ze zbyt wieloma palcami",
        PORES: "gładka skóra bez porów",
        WARPED: "zniekształcone litery na znaku",
    },
    "cs": {
        FINGERS: "Oblast {} ukazuje ruku s {} prsty.",
        BLEND: "Okraje v {} splývají s pozadím.",
        LIGHT: "Osvětlení obličeje neodpovídá stínu.",
        REPEAT: "Oblasti {} a {} opakují stejnou strukturu.",
        LOOKS: "Celkově obrázek vypadá {}.",
        SIGN: "Písmena na ceduli se nedají přečíst.",
        SMOOTH: "Asi {} kůže je nepřirozeně hladkých.",
        NOT: "Obrázek nevypadá {}.",
        SALE: "Na ceduli stojí {}SALE{} roztavenými písmeny.",
        READS: "Vodoznak zní {} v rohu.",
        BECAUSE: "Kvůli oblasti {} zní verdikt {}.",
        SHADOWS: "Rozporné stíny ukazují, že obrázek je {}.",
        BUT: "Obrázek není {}, nýbrž {}.",
        PHOTOGRAPH: "Fotografie ukazuje hladkou pleť v přirozeném světle.",
        AUTHENTIC: "Obrázek není autentický.",
        MACHINE: "Obličej vypadá jako {} umělou inteligencí.",
        HAND: "ruka s příliš mnoha prsty",
        PORES: "hladká pleť bez pórů",
        WARPED: "pokřivená písmena na ceduli",
    },
}
LANGUAGES = tuple(TRANSLATIONS)


@dataclass(frozen=True, slots=True)
class Case:
    """An item's texts, and the language they are wanted in."""

    passages: tuple[Passage, ...]
    language: str


def cases(count: int) -> list[Case]:
    """The same `count` items every time; languages take turns."""
    random = Random(6)  # noqa: S311  texts of a test
    return [Case(_passages(random), LANGUAGES[number % len(LANGUAGES)]) for number in range(count)]


def full_case(language: str) -> Case:
    """An item that says everything there is, so that every attack finds its place."""
    random = Random(7)  # noqa: S311
    return Case((*_passages(random, everything=True),), language)


def verdict_case(language: str) -> Case:
    """An item that says all there is to say of verdicts, and little else: for what is tried in every language."""
    random = Random(8)  # noqa: S311
    said = (FINGERS, LOOKS, NOT, SHADOWS, BUT, PHOTOGRAPH, AUTHENTIC, MACHINE)
    return Case((Passage(Field.EXPLANATION, None, " ".join(_filled(random, template) for template in said)),), language)


def _passages(random: Random, *, everything: bool = False) -> tuple[Passage, ...]:
    said = list(SENTENCES) if everything else random.sample(SENTENCES, random.randint(2, 4))
    passages = [
        Passage(Field.EXPLANATION, None, " ".join(_filled(random, template) for template in said)),
        Passage(Field.SCAN_EXPLANATION, None, _filled(random, random.choice(SENTENCES))),
    ]
    for position in range(1, random.randint(2, 4)):
        passages.append(Passage(Field.REASON, position, random.choice(NOTES)))
        passages.append(Passage(Field.FINDING, position, _filled(random, random.choice((*NOTES, *SENTENCES)))))
    return tuple(passages)


def _filled(random: Random, template: str) -> str:
    slots: Mapping[str, Sequence[str]] = {
        "{N}": ("six", "7", "12", "98%", "0.5", "1,024", "twenty-one"),
        "{R}": ("1", "2", "3", "11"),
        "{B}": ("[10, 20, 30, 40]", "(311, 99)", "[0, 0, 512, 512]"),
        "{V}": ("real", "generated"),
        "{G}": ("generated",),
        "{L}": ("https://example.org/a?b=1", "www.example.com", "shop.example.net"),
        "{M}": ("<b>", "</b>", "**", "`"),
    }
    for slot, choices in slots.items():
        while slot in template:
            template = template.replace(slot, random.choice(choices), 1)
    return template
