"""Path parameters. A segment never holds a colon, so that `/v1/batches/{id}` and `/v1/batches/{id}:cancel` are told apart."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator
from starlette.convertors import Convertor, register_url_convertor

from worker.moderation.policy import NAME


class SegmentConvertor(Convertor[str]):
    """`{name:segment}`."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("segment", SegmentConvertor())

ACTOR = r"^[^\x00-\x1f\x7f]{1,200}$"  # who did something, as queries name them
BatchId = Annotated[UUID, Path(description="A batch's id.", examples=["0198c7a0-0000-7000-8000-000000000000"])]
ItemId = Annotated[str, Path(pattern="^item_[0-9a-f]{32}_[0-9]{1,10}$", description="An item's id.")]
EndpointId = Annotated[UUID, Path(description="A webhook endpoint's id.", examples=["0198c7a0-0000-7000-8000-000000000000"])]
EventId = Annotated[str, Path(pattern="^evt_[0-9a-f]{32}$", description="An event's id.")]
AuditId = Annotated[int, Path(ge=1, le=2**63 - 1, description="An audit event's or a seal's id.")]
RegionId = Annotated[str, Path(pattern="^region_[0-9a-f]{32}_[0-9]{1,10}_[0-9]{1,5}_[0-9]{1,5}$", description="A region's id.")]
QueueName = Annotated[str, Path(pattern=f"^{NAME.pattern}$", description="A review queue's name.", examples=["default"])]
FILTER_NAME = re.compile(r"\w(?:[\w .,()+-]{0,58}[\w.,()+-])?")  # letters of any script; never "." or "..", which browsers take for paths


def _filter_name(text: str) -> str:
    """What JSON Schema cannot say: its letters are ASCII's alone."""
    if not FILTER_NAME.fullmatch(text):
        raise ValueError("must be letters, digits, spaces and . , ( ) + - _")
    return text


FilterName = Annotated[
    str,
    AfterValidator(_filter_name),
    Path(
        pattern=r"^[^/:\x00-\x1f\x7f]{1,60}$",
        description="What a saved filter is called: letters of any script, digits, spaces and `.,()+-_`.",
        examples=["six fingers"],
    ),
]
TaskId = Annotated[int, Path(ge=1, le=2**63 - 1, description="A review task's id.")]
