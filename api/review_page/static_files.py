"""The page's own scripts and styles, under names that anybody may ask for: they say nothing of any image."""

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PREFIX = "/review/static"


class PageFiles(StaticFiles):
    """Kept by browsers, but asked after each time: a new version of the server is a new page at once."""

    def __init__(self) -> None:
        super().__init__(directory=Path(__file__).parent / "static")

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or 304."""
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer
