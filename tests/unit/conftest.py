"""Unit tests reach no network."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """Event loops talk to themselves over a unix socket; everything else is refused."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
