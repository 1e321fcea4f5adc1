import pytest
from pydantic import SecretStr

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings
from worker.store.sealing import Sealer, sealer

OLD, NEW = "o" * 32, "n" * 32


def test_a_sealed_secret_opens_for_its_owner_and_nobody_else() -> None:
    keys = Sealer([OLD])
    sealed = keys.seal("whsec_x", "a")
    assert "whsec_x" not in sealed
    assert sealed != keys.seal("whsec_x", "a")
    assert keys.open(sealed, "a") == "whsec_x"
    with pytest.raises(MisconfiguredError, match="rotate"):
        keys.open(sealed, "b")


def test_a_key_is_changed_by_putting_the_new_one_first() -> None:
    sealed = Sealer([OLD]).seal("whsec_x", "a")
    both = Sealer([NEW, OLD])
    assert both.open(sealed, "a") == "whsec_x"
    assert Sealer([NEW]).open(both.seal("whsec_y", "a"), "a") == "whsec_y"
    with pytest.raises(MisconfiguredError, match="ZOOMIN_SECRETS_KEY"):
        Sealer([NEW]).open(sealed, "a")


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(MisconfiguredError, match="ZOOMIN_SECRETS_KEY"):
        sealer(Settings())


def test_a_short_key_is_refused_by_the_settings() -> None:
    for key in ("short", f"{OLD},short"):
        with pytest.raises(ValueError, match="32 characters"):
            Settings(secrets_key=SecretStr(key))
    assert sealer(Settings(secrets_key=SecretStr(f"{NEW},{OLD}"))).open(Sealer([OLD]).seal("s", "a"), "a") == "s"


def test_private_targets_are_refused_in_production() -> None:
    with pytest.raises(ValueError, match="local mode only"):
        Settings(mode="production", webhook_private_targets=True)
