from collections.abc import Sequence

import pytest

from tests.unit.forensics.nano_verdict import attender
from tests.unit.zoomin.world import SCAN, ZOOM
from worker.forensics.tokens import ReplyTokens, Span, box_spans, has_sentences, said, sentence_spans
from worker.moderation.errors import RejectedError


def texts(reply: str, spans: Sequence[Span]) -> list[str]:
    return [reply[span.start : span.end] for span in spans]


def test_sentences_end_where_readers_see_them_end() -> None:
    reply = '{"explanation":"The hand has 6 fingers, P 0.98. Box 2 says \\"real. estate\\".","verdict":"real"}'
    assert texts(reply, sentence_spans(reply, 9)) == ["The hand has 6 fingers, P 0.98.", 'Box 2 says \\"real.', 'estate\\".']
    assert sentence_spans('{"explanation":"","verdict":"real"}', 9) == ()
    assert sentence_spans("no JSON", 9) == ()


def test_boxes_are_the_scans_numbers_in_its_order() -> None:
    assert texts(SCAN, box_spans(SCAN)) == ["28,28,140,140", "200,56,308,168"]
    tagged = "<|box_start|>(1,2),(3,4)<|box_end|>"
    assert texts(tagged, box_spans(tagged)) == ["(1,2),(3,4)"]


@pytest.mark.parametrize(("reply", "word"), [(SCAN, "real"), (ZOOM, "generated"), ("<verdict>real</verdict>", "real")])
def test_the_verdicts_token_is_where_its_word_begins(reply: str, word: str) -> None:
    tokens = ReplyTokens.of(reply, attender().reader.chat)
    span = tokens.spans[tokens.verdict]
    assert reply[span.start :].startswith(word)
    assert word.startswith(reply[span.start : span.end])


def test_a_verdict_named_in_the_explanation_is_not_the_verdict() -> None:
    reply = '{"explanation":"They say \\"verdict\\": \\"real\\".","verdict":"generated"}'
    tokens = ReplyTokens.of(reply, attender().reader.chat)
    assert reply[tokens.spans[tokens.verdict].start :].startswith("generated")


def test_a_reply_without_a_verdict_has_no_token_for_it() -> None:
    with pytest.raises(RejectedError) as refused:
        _ = ReplyTokens.of('{"explanation":"cut', attender().reader.chat).verdict
    assert refused.value.code == "verdict_token_missing"


def test_sentences_beyond_the_most_belong_to_the_last_whose_text_says_so() -> None:
    reply = '{"explanation":"One. Two.\\nThree \\"x\\". Four.","verdict":"real"}'
    assert texts(reply, sentence_spans(reply, 4)) == ["One.", "Two.", 'Three \\"x\\".', "Four."]
    *single, last = (said(reply, span) for span in sentence_spans(reply, 2))
    assert (single, last) == (["One."], 'Two.\nThree "x". Four.')
    assert has_sentences(last)
    assert not any(map(has_sentences, ["One.", "P is 0.98 now.", "Two.\n"]))


def test_text_that_is_no_json_stands_as_it_is() -> None:
    assert said("a\\", Span(0, 2)) == "a\\"
