"""Where translations may be sent, and with which key: said when a worker starts, not by every job."""

import pytest
from pydantic import SecretStr

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings, load_settings
from worker.queue.explain_translation import endpoint_of

KEY = SecretStr("sk-very-secret")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://translator.example/v1", KEY),
        ("http://127.0.0.1:8000/v1", KEY),
        ("http://translator.internal:8000/v1", None),
    ],
)
def test_a_translator_is_asked_where_its_key_may_travel(address: str, key: SecretStr | None) -> None:
    endpoint = endpoint_of(Settings(translation_model=f"openai:polyglot@{address}", translation_api_key=key))
    assert endpoint is not None
    assert endpoint.name.startswith("polyglot at ")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("http://translator.example/v1", KEY),
        ("http://10.0.0.1/v1", KEY),
        ("https://translator.example/v1?key=secret", None),
        ("https://user:secret@translator.example/v1", None),
    ],
)
def test_no_key_travels_in_clear_or_in_an_address(address: str, key: SecretStr | None) -> None:
    with pytest.raises(MisconfiguredError) as refused:
        endpoint_of(Settings(translation_model=f"openai:polyglot@{address}", translation_api_key=key))
    assert refused.value.code == "model_address"
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("name", ["ZOOMIN_TRANSLATION_API_KEY", "ZOOMIN_MODEL_API_KEY"])
def test_a_key_that_fits_no_header_is_refused_at_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "sk-very-secret\n")
    with pytest.raises(MisconfiguredError, match="visible ASCII") as refused:
        load_settings()
    assert "sk-very-secret" not in refused.value.message
