"""`python -m tests.check_migrations`: models and migrations must agree, on a database made for the purpose (`alembic check`)."""

import sys
import tempfile
from pathlib import Path

from worker.local.postgres import Postgres
from worker.store import migrate


def main() -> int:
    """0 when autogeneration would change nothing."""
    with tempfile.TemporaryDirectory(prefix="zoomin-check-") as home, Postgres(Path(home)) as postgres:
        migrate.upgrade(postgres.owner_url)
        differences = migrate.differences(postgres.owner_url)
    for difference in differences:
        sys.stderr.write(f"not in a migration: {difference}\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
