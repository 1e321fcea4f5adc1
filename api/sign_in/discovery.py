"""What an issuer says of itself at its well-known address (OpenID Connect Discovery 1.0)."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from worker.moderation.settings import is_safe_address

WELL_KNOWN = "/.well-known/openid-configuration"
BASIC, IN_BODY = "client_secret_basic", "client_secret_post"


def _safe(url: str) -> str:
    if not is_safe_address(url.partition("?")[0]):
        raise ValueError("must be https, or http on a loopback address")
    return url


Endpoint = Annotated[str, AfterValidator(_safe)]


class Metadata(BaseModel):
    """What of it is used here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    authorization_endpoint: Endpoint
    token_endpoint: Endpoint
    jwks_uri: Endpoint
    userinfo_endpoint: Endpoint | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = (BASIC,)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def secret_in_body(self) -> bool:
        """Whether the client's secret goes into the body, which some ask for instead of a header."""
        return BASIC not in self.token_endpoint_auth_methods_supported and IN_BODY in self.token_endpoint_auth_methods_supported


def metadata_of(issuer: str, document: Any) -> Metadata:
    """The metadata. Raises ValueError when it is not this issuer's, or names an address that secrets may not travel to."""
    metadata = Metadata.model_validate(document)
    if metadata.issuer != issuer:
        raise ValueError(f"it is that of another issuer, {metadata.issuer[:200]!r}: set ZOOMIN_OIDC_ISSUER to it letter by letter")
    return metadata
