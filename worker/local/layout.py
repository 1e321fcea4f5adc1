"""Where the embedded stack keeps what: everything below one home, secrets and sockets in directories of mode 0700."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.moderation.errors import MisconfiguredError

SOCKET_PATH_BYTES = 107  # sockaddr_un.sun_path less its NUL
LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below `home`, which is absolute."""

    home: Path

    @property
    def postgres(self) -> Path:
        """Postgres's directory: its data, and its socket where the path is short enough."""
        return self.home / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's append-only file and configuration."""
        return self.home / "valkey"

    @property
    def object_store(self) -> Path:
        """SeaweedFS's volumes and metadata."""
        return self.home / "s3"

    @property
    def logs(self) -> Path:
        """One log per child."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Lock, addresses, credentials and process ids of a running stack."""
        return self.home / "run"

    @property
    def sockets(self) -> Path:
        """Directory of Postgres's socket: below home, or in the system's temporary directory when that path is too long."""
        below = self.postgres / "socket"
        if len(os.fsencode(below)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_BYTES:
            return below
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"zoomin-{os.getuid()}-{digest}"

    def log(self, name: str) -> Path:
        """The log of the child of that name."""
        return self.logs / f"{name}.log"


def layout_of(home: Path) -> Layout:
    """The layout of a home, made absolute, since children have directories of their own."""
    return Layout(Path(os.path.abspath(home)))  # noqa: PTH100  not resolve(): a symlinked home keeps its name


def make_directories(layout: Layout) -> None:
    """Creates home and its directories. Raises MisconfiguredError when home cannot be written."""
    with writing(layout):
        # Traversable for the account that Postgres drops to when we are root; the directories below are private.
        layout.home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        for directory in (layout.postgres, layout.valkey, layout.object_store, layout.logs, layout.run):
            directory.mkdir(mode=0o700, exist_ok=True)
        make_private(layout.sockets)
        (layout.run / "writable").write_bytes(b"\0" * 4096)  # a full disk shows here, not half-way through initdb


def make_private(directory: Path) -> None:
    """Creates a directory of mode 0700. Raises MisconfiguredError when another user got there first."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    ours = found.st_uid == os.geteuid() or os.geteuid() == 0
    if not (stat.S_ISDIR(found.st_mode) and ours and stat.S_IMODE(found.st_mode) == 0o700):
        raise MisconfiguredError(
            "socket_directory_unsafe", f"{directory} is not a private directory of yours. Remove it, or set ZOOMIN_HOME."
        )


@contextmanager
def writing(layout: Layout) -> Iterator[None]:
    """Turns what the file system refuses into a MisconfiguredError with its remedy."""
    try:
        yield
    except OSError as error:
        raise MisconfiguredError(
            "home_unusable",
            f"Cannot write below {layout.home}: {error.strerror}. Free or unlock it, or set ZOOMIN_HOME to another directory.",
        ) from error


def write_private(path: Path, text: str) -> None:
    """Replaces a file at once, readable by its owner only."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
