import pickle
import uuid

import pytest

from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.identifiers import item_id, new_uuid7, parse_item_id
from worker.moderation.release import Release, Training
from worker.moderation.settings import Mode, Settings, load_settings
from worker.moderation.text import clean


def test_batch_ids_are_ordered_by_time_and_version_7() -> None:
    first, second = new_uuid7(), new_uuid7()
    assert first.version == second.version == 7
    assert first.variant == uuid.RFC_4122
    assert first.int >> 80 <= second.int >> 80


def test_item_ids_carry_batch_and_ordinal() -> None:
    batch_id = new_uuid7()
    assert parse_item_id(item_id(batch_id, 12)) == (batch_id, 12)


@pytest.mark.parametrize("text", ["", "item_1_2", "item_" + "0" * 32 + "_-1", "item_" + "g" * 32 + "_1", "x" * 10_000])
def test_malformed_item_ids_are_rejected(text: str) -> None:
    with pytest.raises(RejectedError, match="not an item id"):
        parse_item_id(text)


def test_a_release_changes_its_id_with_any_fact() -> None:
    base = Release("nano", Training.UNTRAINED, {"prompts": {"version": "v1"}, "dtype": "float32"})
    same = Release("nano", Training.UNTRAINED, {"dtype": "float32", "prompts": {"version": "v1"}})
    other = Release("nano", Training.UNTRAINED, {"prompts": {"version": "v2"}, "dtype": "float32"})
    assert base.id == same.id != other.id
    assert base.id != Release("nano", Training.TRAINED, base.facts).id


def test_errors_cross_process_borders_with_code_and_message() -> None:
    error = pickle.loads(pickle.dumps(RejectedError("image_empty", "0 bytes")))  # noqa: S301  our own pickle
    assert (type(error), error.code, error.message) == (RejectedError, "image_empty", "0 bytes")


def test_clean_keeps_one_visible_line() -> None:
    assert clean("a\x00\u202e b\n\n c\x1b]0;x\x07", 40) == "a b c]0;x"
    assert clean("word " * 50, 12) == "word word w…"


def test_a_misspelt_setting_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOMIN_DATABSE_URL", "x")
    with pytest.raises(MisconfiguredError, match="Did you mean ZOOMIN_DATABASE_URL"):
        load_settings()


def test_a_bad_value_names_its_variable_but_not_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOMIN_API_PORT", "99999")
    with pytest.raises(MisconfiguredError, match="ZOOMIN_API_PORT") as caught:
        load_settings()
    assert "99999" not in caught.value.message


def test_production_refuses_to_start_half_configured() -> None:
    settings = Settings(mode=Mode.PRODUCTION, broker_url="redis://x")
    with pytest.raises(MisconfiguredError, match="ZOOMIN_DATABASE_URL, ZOOMIN_S3_ENDPOINT, ZOOMIN_BUCKETS, ZOOMIN_MODEL"):
        settings.require("broker_url")


def test_buckets_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOMIN_BUCKETS", "a, b,")
    settings = load_settings()
    assert settings.buckets == ("a", "b")
    assert settings.source_buckets == {"a", "b", settings.upload_bucket}


def test_secrets_do_not_show_in_a_settings_repr() -> None:
    assert "hunter2" not in repr(Settings(database_url="postgresql://u:hunter2@h/d"))


def test_a_lease_shorter_than_its_heartbeats_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOMIN_LEASE_SECONDS", "30")
    with pytest.raises(MisconfiguredError, match="at least twice ZOOMIN_HEARTBEAT_SECONDS"):
        load_settings()
