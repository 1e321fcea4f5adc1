from worker.moderation.sentences import Sentence, sentences


def test_a_sentence_is_linked_to_the_regions_it_names() -> None:
    text = "Region 1 shows redrawn fingers. Boxes 2, 3 and 4 are clean! Nothing else."
    assert sentences(text, {1, 2, 3, 4}) == [
        Sentence("Region 1 shows redrawn fingers.", (1,)),
        Sentence("Boxes 2, 3 and 4 are clean!", (2, 3, 4)),
        Sentence("Nothing else."),
    ]


def test_a_region_that_the_outcome_does_not_have_is_no_link() -> None:
    assert sentences("region 7 and box #2 differ", {2}) == [Sentence("region 7 and box #2 differ", (2,))]


def test_a_decimal_point_does_not_end_a_sentence_and_a_line_break_does() -> None:
    assert [part.text for part in sentences("P is 0.98 there\nand the rest is fine. ", {1})] == ["P is 0.98 there", "and the rest is fine."]


def test_an_empty_text_has_no_sentences() -> None:
    assert sentences("  \n ", {1}) == []
