"""What signing people in stands on: the provider, the sign-ins under way, the browsers."""

from dataclasses import dataclass

from api.security.sessions import Browsers
from api.sign_in.attempts import Attempt, Attempts
from api.sign_in.provider import CALLBACK, Provider
from worker.moderation.settings import Settings


@dataclass(frozen=True, slots=True)
class SignInDesk:
    """One per application."""

    provider: Provider
    attempts: Attempts
    browsers: Browsers

    @classmethod
    def of(cls, settings: Settings) -> "SignInDesk | None":
        """As the settings say; None when they name no issuer. Raises MisconfiguredError when something else is missing."""
        if (issuer := settings.oidc_issuer) is None:
            return None
        settings.require("oidc_client_id", "public_url", "secrets_key")
        secret, sealing = settings.oidc_client_secret, settings.secrets_key
        provider = Provider(
            issuer=issuer,
            client_id=settings.oidc_client_id or "",
            client_secret=secret.get_secret_value() if secret else None,
            redirect_uri=f"{settings.public_url}{CALLBACK}",
        )
        return cls(provider, Attempts(sealing.get_secret_value().split(",") if sealing else []), Browsers.of(settings))

    async def begin(self, next_path: str, tenant: str) -> tuple[Attempt, str]:
        """A fresh attempt, and where it leads the browser."""
        attempt = Attempt.begin(next_path, tenant)
        return attempt, await self.provider.authorization_url(attempt)
