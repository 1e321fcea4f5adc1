"""A trace as the page shows it: images by where they can be seen, texts with nothing hidden in them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from api.review_page.trace_view import SentImage, TraceView, Turn, view_trace, visible
from worker.store.models import OutcomeRow, RegionRow, ReleaseRow, TraceRow

BATCH = UUID(int=7)
PLACE = f"item_{BATCH.hex}_3"
WHOLE, CROP, OTHER = "a" * 64, "b" * 64, "c" * 64


def traced(request: dict[str, Any], reply: str = "{}") -> TraceView:
    outcome = OutcomeRow(batch_id=BATCH, ordinal=3, revision=2, kind="verdict", sent_sha256=WHOLE)
    region = RegionRow(batch_id=BATCH, ordinal=3, revision=2, position=1, crop_sha256=CROP)
    row = TraceRow(batch_id=BATCH, ordinal=3, revision=2, stage="zoom", attempt=1, request=request, reply=reply)
    release = ReleaseRow(id="nano-1", name="nano", training="trained", facts={"weights": "w"}, created_at=datetime.now(UTC))
    return view_trace(outcome, [region], [row], release)


def test_images_of_a_request_lead_to_where_they_can_be_seen() -> None:
    parts = [{"image": WHOLE, "size": [8, 8]}, "look", {"image": CROP, "size": [4, 4]}, {"image": OTHER, "size": [1, 1]}]
    (exchange,) = traced({"turns": [{"role": "user", "parts": parts}], "max_tokens": 800}).exchanges
    assert exchange.turns == [
        Turn(
            "user",
            [
                SentImage(WHOLE, f"/v1/items/{PLACE}/image?revision=2", "the whole image"),
                "look",
                SentImage(CROP, f"/v1/regions/region_{BATCH.hex}_3_2_1/crop", "crop of box 1"),
                SentImage(OTHER, None, "an image that is not kept here"),
            ],
        )
    ]
    assert exchange.rest == '{\n  "max_tokens": 800\n}'


def test_a_request_of_another_shape_is_shown_whole() -> None:
    (exchange,) = traced({"turns": ["look", {"text": "what"}], "odd": None}).exchanges
    assert [turn.parts for turn in exchange.turns] == [["look"], ['{\n  "text": "what"\n}']]
    (exchange,) = traced({"messages": "none"}).exchanges
    assert (exchange.turns, exchange.rest) == ([], '{\n  "messages": "none"\n}')


def test_what_cannot_be_seen_or_turns_the_text_is_named_and_lines_stay() -> None:
    assert visible("a\u202eb\u200b\nc\td") == "a⟨U+202E⟩b⟨U+200B⟩\nc\td"
    assert traced({}, reply="\u2066x").exchanges[0].reply == "⟨U+2066⟩x"
