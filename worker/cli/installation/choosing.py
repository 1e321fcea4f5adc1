"""The one place that chooses: an API, when the settings name one, else the database."""

from worker.cli.installation.asking import Installation
from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import load_settings


def installation() -> Installation:
    """The installation to work on. Raises MisconfiguredError."""
    settings = load_settings()
    if settings.api_url is None:
        from worker.cli.installation.local_batches import LocalBatches  # noqa: PLC0415  a remote one needs no database driver
        from worker.cli.installation.local_policies import LocalPolicies  # noqa: PLC0415
        from worker.cli.services import Services, located  # noqa: PLC0415

        services = Services(located(settings))
        return Installation(LocalBatches(services), LocalPolicies(services))
    from worker.cli.installation.http import Api  # noqa: PLC0415
    from worker.cli.installation.remote_batches import RemoteBatches  # noqa: PLC0415
    from worker.cli.installation.remote_policies import RemotePolicies  # noqa: PLC0415

    if settings.api_key is None:
        raise MisconfiguredError("setting_missing", "Set ZOOMIN_API_KEY: ZOOMIN_API_URL needs a key, from `zoomin keys create`.")
    api = Api(settings.api_url, settings.api_key)
    return Installation(RemoteBatches(api, settings), RemotePolicies(api))


def require_at_hand(what: str) -> None:
    """Returns when the installation is at hand. Raises MisconfiguredError, which begins with what needs it."""
    if load_settings().api_url is not None:
        raise MisconfiguredError("needs_installation", f"{what}, which the API does not give: unset ZOOMIN_API_URL, and name the services.")
