"""The command line `zoomin`. Importing it loads no engine, no driver and no queue: `--help` answers at once."""


def main() -> None:
    """Runs the command that the arguments name, and ends the process with its exit code."""
    from worker.cli.app import app  # noqa: PLC0415  what imports a part of this package needs no commands

    app(prog_name="zoomin")
