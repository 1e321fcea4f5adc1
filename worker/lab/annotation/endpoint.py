"""The endpoint that explains pictures, within its bounds, and only where pictures and a key may go. Somebody bills for it."""

import httpx

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import is_safe_address
from worker.vision.chat_endpoint import REPLY_SECONDS, ChatEndpoint

MOST_REPLY_BYTES = 1 << 20  # an explanation has some kilobytes


def explainer_endpoint(base_url: str, api_key: str | None, transport: httpx.AsyncBaseTransport | None = None) -> ChatEndpoint:
    """Where explanations come from. Raises MisconfiguredError `explainer_address` for an address that is not safe."""
    if not is_safe_address(base_url):
        raise MisconfiguredError(
            "explainer_address",
            "--explainer must be https://host/v1, or http:// on this machine, without user, query or fragment: pictures and a key go "
            "there. The key itself is ZOOMIN_EXPLAINER_API_KEY.",
        )
    return ChatEndpoint(
        base_url,
        api_key,
        seconds=REPLY_SECONDS,
        most_bytes=MOST_REPLY_BYTES,
        check="check ZOOMIN_EXPLAINER_API_KEY, --explainer and --explainer-model. Nothing was billed.",
        transport=transport,
    )
