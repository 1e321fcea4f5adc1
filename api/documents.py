"""`python -m api.documents`: writes openapi.json and PROBLEMS.md beside this file. A test says when they are stale."""

import json
from pathlib import Path

from pydantic import SecretStr

from api.app import create_app
from api.problems import markdown
from worker.moderation.settings import Settings

FOLDER = Path(__file__).parent
NOBODY = SecretStr("nobody")  # named, since boto3 looks for credentials on the network otherwise
NOWHERE = Settings(
    database_url=SecretStr("postgresql+psycopg://nobody@nowhere/nothing"),
    s3_endpoint="http://nowhere",
    s3_access_key=NOBODY,
    s3_secret_key=NOBODY,
)


def documents() -> dict[Path, str]:
    """Texts by path. Connects to nothing."""
    openapi = json.dumps(create_app(NOWHERE).openapi(), indent=1, ensure_ascii=False) + "\n"
    return {FOLDER / "openapi.json": openapi, FOLDER / "PROBLEMS.md": markdown()}


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, "utf-8")
