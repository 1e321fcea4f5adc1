"""Log lines as JSON on stderr, each with the id of the request it belongs to. Never a header, a query or a body."""

import json
import logging
import sys
from datetime import UTC, datetime

from api.middleware.request_ids import current

QUIET = ("botocore", "boto3", "urllib3")  # their DEBUG tells of credentials


class JsonLines(logging.Formatter):
    """One object per record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            "request_id": current.get(),
            **getattr(record, "request", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True)


def configure_logs(level: str) -> None:
    """Sends our loggers to stderr, unless whoever runs us has said where logs go."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
