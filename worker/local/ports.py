"""Free ports on the loopback interface, chosen at each start."""

import random
import socket

from worker.moderation.errors import MisconfiguredError

LOWEST, HIGHEST = 20_000, 22_700  # with GRPC_OFFSET below 32,768, where Linux's ports for outgoing connections begin
GRPC_OFFSET = 10_000  # SeaweedFS serves gRPC that far above each HTTP port
ATTEMPTS = 500
LOOPBACK = "127.0.0.1"


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Distinct ports p where p and p + GRPC_OFFSET are free. Raises MisconfiguredError when there are none."""
    found: list[int] = []
    for port in random.sample(range(LOWEST, HIGHEST), ATTEMPTS):
        if is_free(LOOPBACK, port) and is_free(LOOPBACK, port + GRPC_OFFSET):
            found.append(port)
        if len(found) == count:
            return found
    raise MisconfiguredError("ports_exhausted", f"No {count} free ports between {LOWEST} and {HIGHEST} on {LOOPBACK}. Stop something.")


def claim_port(host: str, port: int, setting: str) -> int:
    """`port`, or a free one for 0. Raises MisconfiguredError when it is taken."""
    if port == 0:
        return free_ports(1)[0]
    if not is_free(host, port):
        raise MisconfiguredError(
            "port_taken", f"Port {port} on {host} is taken or refused. Set {setting} to another port, or to 0 for a free one."
        )
    return port
