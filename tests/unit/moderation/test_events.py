from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from worker.moderation.errors import RejectedError
from worker.moderation.events import SUBSCRIBABLE, EventType, event_body, parse_types
from worker.moderation.identifiers import event_id, new_uuid7, parse_event_id


def test_the_body_is_type_timestamp_and_data_to_the_byte() -> None:
    moment = datetime(2026, 11, 26, 19, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
    assert event_body("item.failed", moment, {"item_id": "item_1", "name": "ü"}) == (
        '{"type":"item.failed","timestamp":"2026-11-26T18:00:00.250000Z","data":{"item_id":"item_1","name":"ü"}}'.encode()
    )
    assert b"2026-11-26T18:00:00Z" in event_body("item.failed", datetime(2026, 11, 26, 18, tzinfo=UTC), {})


def test_a_subscription_names_known_types_each_once() -> None:
    assert parse_types(["item.failed", "batch.completed", "item.failed"]) == (EventType.BATCH_COMPLETED, EventType.ITEM_FAILED)
    assert set(parse_types(list(SUBSCRIBABLE))) == SUBSCRIBABLE


@pytest.mark.parametrize("names", [[], ["batch.completed", "nonsense"], ["webhook.test"], ["*"], ["<script>"]])
def test_other_subscriptions_are_refused_with_the_choices(names: list[str]) -> None:
    with pytest.raises(RejectedError, match=r"appeal\.decided") as caught:
        parse_types(names)
    assert caught.value.code == "webhook_types_invalid"


def test_an_events_public_id_round_trips_and_has_no_full_stop() -> None:
    identifier = new_uuid7()
    assert parse_event_id(event_id(identifier)) == identifier
    assert "." not in event_id(identifier)
    for text in ("", "evt_", "evt_x", str(UUID(int=0)), event_id(identifier) + "0"):
        with pytest.raises(RejectedError):
            parse_event_id(text)
