"""`python -m worker.local.issuer`: the local issuer, on the address that ZOOMIN_OIDC_ISSUER names."""

import logging
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import uvicorn

from worker.local.issuer.app import Issuer
from worker.local.issuer.keys import signing_key
from worker.local.issuer.page import Invited
from worker.local.layout import layout_of
from worker.local.ports import LOOPBACK
from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Mode, Settings, load_settings
from worker.store.people import list_people
from worker.store.session import connect, transaction

MOST_PEOPLE = 200  # on a page
CALLBACK = "/v1/sign-in/callback"


def main() -> None:
    """Serves until it is stopped."""
    try:
        settings = load_settings()
        port, issuer = port_of(settings), issuer_of(settings)
    except MisconfiguredError as error:
        sys.exit(f"The local issuer cannot start: {error.message}")
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(message)s")
    uvicorn.run(issuer.app(), host=LOOPBACK, port=port, access_log=False, server_header=False, log_level=settings.log_level.lower())


def port_of(settings: Settings) -> int:
    """Where to listen. Raises MisconfiguredError unless the settings are those of one machine."""
    if settings.mode is not Mode.LOCAL:
        raise MisconfiguredError(
            "issuer_local_only", "It lets anybody in who reaches it. In production, ZOOMIN_OIDC_ISSUER names a real identity provider."
        )
    parts = urlsplit(settings.oidc_issuer or "")
    if (parts.scheme, parts.hostname, parts.path) != ("http", LOOPBACK, "") or not parts.port:
        raise MisconfiguredError("issuer_address", f"ZOOMIN_OIDC_ISSUER must be http://{LOOPBACK}:<port> for it.")
    return parts.port


def issuer_of(settings: Settings) -> Issuer:
    """The issuer of a home and its people. Raises MisconfiguredError."""
    settings.require("oidc_issuer", "oidc_client_id", "public_url")
    engine = connect(settings, application="zoomin-issuer")

    def invited() -> Sequence[Invited]:
        with transaction(engine) as session:
            rows = list_people(session, None, limit=MOST_PEOPLE)
        return [Invited(row.email, row.name, row.role, row.tenant_id) for row in rows if row.disabled_at is None]

    return Issuer(
        str(settings.oidc_issuer),
        client_id=str(settings.oidc_client_id),
        redirect_uri=f"{settings.public_url}{CALLBACK}",
        key=signing_key(layout_of(settings.home)),
        invited=invited,
    )


if __name__ == "__main__":
    main()
