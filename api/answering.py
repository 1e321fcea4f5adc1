"""Answers written by the handler's own thread: FastAPI would validate them once more, on another one."""

from fastapi import Response
from pydantic import BaseModel


def written(answer: BaseModel) -> Response:
    """The answer as JSON. The route names its model by `response_model`, for the document."""
    return Response(answer.model_dump_json(), media_type="application/json")
