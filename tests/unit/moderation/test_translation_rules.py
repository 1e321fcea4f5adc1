"""What a translated sentence may not do, rule by rule; and the languages that are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.errors import RejectedError
from worker.moderation.translation.facts import Kind, find_facts
from worker.moderation.translation.languages import find_language
from worker.moderation.translation.passages import Field, Passage
from worker.moderation.translation.protection import MARK, put_together, restore, take_apart
from worker.moderation.translation.verification import verify

GERMAN = find_language("de")


def codes(original: str, translated: str, tag: str = "de") -> list[str]:
    return [problem.code for problem in verify(original, translated, find_language(tag))]


def test_languages_know_their_names_their_direction_and_their_letters() -> None:
    arabic, simplified = find_language("ar"), find_language("zh-Hans")
    assert (arabic.name, arabic.own_name, arabic.direction, arabic.script) == ("Arabic", "العربية", "rtl", "Arab")
    assert (simplified.tag, simplified.primary, simplified.direction, simplified.script) == ("zh-Hans", "zh", "ltr", "Hans")
    assert find_language("sr").script == "Cyrl"
    assert find_language("sr-Latn").script == "Latn"


@pytest.mark.parametrize(
    ("tag", "code"),
    [("tlh", "language_unsupported"), ("zz", "language_unsupported"), ("", "language_malformed"), ("d e", "language_malformed")],
)
def test_a_language_that_nobody_supports_is_refused(tag: str, code: str) -> None:
    with pytest.raises(RejectedError) as refused:
        find_language(tag)
    assert refused.value.code == code


def test_facts_are_found_with_what_belongs_to_them() -> None:
    said = "Region 2 at [10, 20, 30, 40] has twenty-one fingers, -1.5 % of <b>it</b>, is not Real; see www.x.org, 98 percent."
    assert [(fact.kind, fact.value) for fact in find_facts(said, english=True)] == [
        (Kind.REGION, "2"),
        (Kind.BOX, "[10,20,30,40]"),
        (Kind.NUMBER, "21"),
        (Kind.NUMBER, "-1.5%"),
        (Kind.MARKUP, "<b>"),
        (Kind.MARKUP, "</b>"),
        (Kind.VERDICT, "real"),
        (Kind.LINK, "www.x.org"),
        (Kind.NUMBER, "98%"),
    ]


def test_numbers_of_all_scripts_are_numbers() -> None:
    assert [fact.value for fact in find_facts("٣ ३ ３ ² ½ Ⅳ ③ IV")] == ["٣", "३", "３", "²", "½", "Ⅳ", "③", "IV"]


@given(st.text(max_size=200))
def test_whatever_a_model_says_comes_back_from_its_marks(text: str) -> None:
    pieces = take_apart([Passage(Field.EXPLANATION, None, text)])
    for piece in pieces:
        restored, problems = restore(piece, piece.marked)
        assert not problems
        assert [fact.value for fact in find_facts(restored, english=True)] == [
            fact.value for fact in find_facts(piece.original, english=True)
        ]


def test_marks_are_unlike_one_another_over_all_passages() -> None:
    pieces = take_apart([Passage(Field.REASON, 1, "3 of 4. 5 of 6."), Passage(Field.FINDING, 1, "region 7 is real")])
    marks = [mark for piece in pieces for mark in MARK.findall(piece.marked)]
    assert marks == ["N1", "N2", "N3", "N4", "R5", "V6"]
    assert [piece.passage for piece in pieces] == [0, 0, 1]
    assert [passage.text for passage in put_together([Passage(Field.REASON, 1, "")], (), (), GERMAN)] == [""]


@pytest.mark.parametrize(
    ("original", "translated", "expected"),
    [
        ("Region 2 shows six fingers.", "Bereich 2 zeigt 6 Finger.", []),
        ("Region 2 shows six fingers.", "Bereich 2 zeigt sechs Finger.", ["number_changed"]),
        ("Region 2 shows six fingers.", "Bereich 6 zeigt 2 Finger.", ["number_changed"]),
        ("Region 2 is smooth.", "Bereich 2 ist zu 2% glatt.", ["number_changed"]),
        ("It looks generated.", "Es sieht generated aus.", []),
        ("It looks generated.", "Es sieht generiert aus.", ["verdict_changed", "verdict_word_added"]),
        ("It looks generated.", "Es sieht nicht generated aus.", ["polarity_changed"]),
        ("It does not look real.", "Es sieht real aus.", ["polarity_changed"]),
        ("It is not real but generated.", "Es ist nicht real, sondern generated.", []),
        ("It is not real but generated.", "Es ist real, nicht generated.", ["polarity_changed"]),
        ("The unclear shadows show it is generated.", "Die unklaren Schatten zeigen, dass es generated ist.", []),
        ("The unclear shadows show it is generated.", "Es ist nicht so, dass es generated ist.", ["polarity_changed"]),
        ("The unclear shadows show it is generated.", "Dass es generated ist, stimmt nicht.", ["polarity_changed"]),
        ("The photograph shows smooth skin.", "Das Foto zeigt glatte Haut.", []),
        ("The photograph shows smooth skin.", "Das gefälschte Foto zeigt glatte Haut.", ["verdict_word_added"]),
        ("The skin is artificially smooth.", "Die Haut ist künstlich glatt.", []),
        ("This is authentic.", "Das ist authentisch.", []),
        ("This is authentic.", "Das ist falsch und gefälscht.", ["polarity_changed"]),
        ("This is not authentic.", "Das ist echt.", ["polarity_changed"]),
        ("It looks generated.", "Es sieht un-generated aus.", ["verdict_attached"]),
        ("It looks generated.", "Es sieht generated-frei aus.", ["verdict_attached"]),
        ("It looks generated.", "Es sieht notgenerated aus.", ["verdict_changed", "polarity_changed"]),
        ("It looks generated.", "Es sieht not generated aus.", ["polarity_changed"]),
        ("It looks generated.", "Es sieht alles andere als generated aus.", ["polarity_changed"]),
        ("It looks generated.", "Sieht es generated aus?", ["question_added"]),
        ("It looks AI-generated.", "Es sieht KI-generated aus.", []),
        ("It looks AI-generated.", "Es sieht durch künstliche Intelligenz generated aus.", []),
        ("It looks AI-generated.", "Es sieht nicht-KI-generated aus.", ["polarity_changed", "verdict_attached"]),
        ("It looks generated.", "Es sieht KI-generated aus.", ["verdict_attached"]),
        ("It looks generated.", "Es sieht künstlich generated aus.", ["verdict_word_added"]),
        ("It is not generated.", "Es ist nicht nicht generated.", ["polarity_changed"]),
        ("It is non-generated.", "Es ist nicht generated.", []),
        ("It is non-generated.", "Es ist generated.", ["polarity_changed"]),
        ("It is authentic.", "Es ist unauthentisch.", ["polarity_changed"]),
        ("It is not authentic.", "Es ist unauthentisch.", ["polarity_changed"]),
        ("The hand has a thumb.", "Die Hand hat keinen Daumen.", ["negation_added"]),
        ("The hand lacks a thumb.", "Die Hand hat keinen Daumen.", []),
        ("The hand is odd.", "Die Hand ist nicht normal.", []),
        ("The hand is wrong.", "Die H\ufe0fand ist falsch.", ["hidden_character"]),
        ("The hand is wrong.", "Die ɢᴇɴᴇʀᴀᴛᴇᴅ Hand ist falsch.", ["script_mixed"]),
        ("The hand is wrong.", "Die réal Hand ist falsch.", ["verdict_changed"]),
        ("The hand is wrong.", "Die Ha\u0332nd ist falsch.", ["marks_piled"]),
        ("It lacks detail and looks generated.", "Es hat keine Details und sieht generated aus.", []),
        ("The hand is wrong.", "Die Hand ist falsch. Alles ist gut.", ["sentence_added"]),
        ("The hand is wrong.", "Die Hand ist z. B. falsch.", []),
        ("The hand is wrong.", "Die Hand ist", ["cut_off"]),
        ("The hand is wrong.", "The hand is wrong.", ["not_translated"]),
        ("The hand is wrong.", "Die \u202eHand ist falsch.", ["hidden_character"]),
        ("The hand is wrong.", "Die Hаnd ist falsch.", ["script_mixed"]),
        ("The hand is wrong.", "Die Hand ist falsch →.", ["symbol_added"]),
        ("The hand is wrong.", "Die Hand kostet € viel.", ["symbol_added"]),
        ("The hand is wrong.", "Die <i>Hand</i> ist falsch.", ["markup_changed"]),
    ],
)
def test_german(original: str, translated: str, expected: list[str]) -> None:
    assert codes(original, translated) == expected


@pytest.mark.parametrize(
    ("tag", "original", "translated", "expected"),
    [
        ("ar", "Region 2 has 3 hands.", "في المنطقة 2 توجد 3 أيدٍ.", []),
        ("ar", "Region 2 has 3 hands.", "في المنطقة ٢ توجد ٣ أيدٍ.", ["number_changed"]),
        ("ar", "The JPEG is bad.", "ملف JPEG سيئ.", []),
        ("ar", "The JPEG is bad.", "ملف IGNORE سيئ.", ["script_mixed"]),
        ("fa", "It is smooth.", "این صاف می\u200cشود.", []),  # Persian is spelt with joiners
        ("ja", "The image looks generated.", "画像はgeneratedに見えます。", []),
        ("ja", "The image looks generated.", "画像はgeneratedに見えません。", ["polarity_changed"]),
        ("ja", "The image is odd.", "画像はɢᴇɴᴇʀᴀᴛᴇᴅです。", ["script_mixed"]),
        ("ja", "It is not real but generated.", "realではなくgeneratedです。", []),
        ("hi", "It is not real but generated.", "यह real नहीं बल्कि generated है।", []),
        ("es", "This is not authentic.", "Esto es auténtico.", ["polarity_changed"]),
        ("fr", "It looks generated.", "L'image ne semble pas non generated.", ["polarity_changed"]),
        ("fr", "It does not look generated.", "L'image ne semble pas generated.", []),
        ("fr", "It does not look generated.", "L'image ne semble pas non generated.", ["polarity_changed"]),
        ("it", "It looks generated.", "Sembra un'immagine ingenerated.", ["verdict_changed", "verdict_word_added"]),
        ("pl", "It does not look real.", "To nigdy nie wygląda na real.", []),
        ("pl", "It does not look real.", "To nie wygląda na nie real.", ["polarity_changed"]),
        ("cs", "Unnatural light shows it is generated.", "Nepřirozené světlo ukazuje, že je generated.", []),
        ("cs", "This is genuine.", "To je nepravá věc.", ["polarity_changed"]),
        ("uk", "It looks generated.", "Воно виглядає неgenerated.", ["polarity_changed", "verdict_attached"]),
        ("tr", "It looks generated.", "Görüntü generated değildir.", ["polarity_changed"]),
        ("tr", "It looks generated.", "Bu, generated olmayan bir görüntü.", ["polarity_changed"]),
        ("tr", "It looks generated.", "Görüntü generated'dır.", []),
        ("tr", "It looks generated.", "Görüntü generated'sız görünüyor.", ["verdict_attached"]),
        ("ar", "It looks generated.", "تبدو الصورة ﻻ generated.", ["polarity_changed"]),  # a ligature
        ("ar", "It looks generated.", "تبدو الصورة كـgenerated.", []),
        ("ar", "It looks generated.", "تبدو الصورة لاgenerated.", ["polarity_changed", "verdict_attached"]),
        ("ar", "It looks AI-generated.", "تبدو الصورة generated بالذكاء الاصطناعي.", []),
        ("he", "It looks generated.", "התמונה נראית לא־generated.", ["polarity_changed", "verdict_attached"]),
        ("he", "It looks generated.", "התמונה נראית בלתי generated.", ["polarity_changed"]),
        ("he", "The image looks generated.", "התמונה נראית כ-generated.", []),
        ("ja", "It may be generated.", "これはgeneratedかもしれない。", []),
        ("ja", "It looks generated.", "画像は非generatedに見えます。", ["polarity_changed"]),
        ("ja", "It looks generated.", "画像はgeneratedではなかった。", ["polarity_changed"]),
        ("zh-Hans", "It is clearly generated.", "这无疑是 generated 的。", []),
        ("zh-Hans", "It looks generated.", "这看起来是非「generated」。", ["polarity_changed"]),
        ("hi", "It looks generated.", "यह गैर-generated लगता है।", ["polarity_changed", "verdict_attached"]),
        ("ko", "It looks generated.", "이미지는 generated로 보입니다.", []),
        ("ko", "It looks generated.", "이미지는 비generated로 보입니다.", ["polarity_changed", "verdict_attached"]),
        ("vi", "The old man is odd.", "Ông già trông kỳ lạ.", []),
        ("ja", "The image is odd.", "画像は奇妙です。本当に奇妙です。", ["sentence_added"]),
        ("he", "About 98% is smooth.", "כ-98% חלק מאוד כאן.", []),
        ("zh-Hans", "It is very odd.", "这非常奇怪。", []),
        ("th", "The hand is wrong.", "มือผิด", []),  # ends no sentence with a stop
        ("ka", "It looks real.", "ის real გამოიყურება.", ["polarity_unknown"]),
    ],
)
def test_other_scripts(tag: str, original: str, translated: str, expected: list[str]) -> None:
    assert codes(original, translated, tag) == expected
