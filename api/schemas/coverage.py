"""What was seen of an image, and how closely. Resolution is sent pixels per original pixel of a side."""

from pydantic import Field

from api.schemas.base import Answer


class AreaBody(Answer):
    """A rectangle that the model saw."""

    position: int | None = Field(description="Of the region that was cut; null for the whole image")
    box: list[int] = Field(description="x0, y0, x1, y1 in pixels of the original after EXIF orientation; x1 and y1 exclusive")
    resolution: float = Field(description="Sent pixels per original pixel of a side; over 1 where the crop was enlarged")


class CoverageBody(Answer):
    """What was seen of an image for one verdict. Where areas overlap, the closest look counts; shares are of the image's area."""

    item_id: str
    revision: int
    width: int = Field(description="Pixels of the original, after EXIF orientation")
    height: int = Field(description="Pixels of the original, after EXIF orientation")
    sent_width: int = Field(description="Pixels of the whole image as the scan was sent it")
    sent_height: int = Field(description="Pixels of the whole image as the scan was sent it")
    resolution_least: float = Field(description="Of the part that was seen least closely")
    resolution_mean: float = Field(description="By area")
    share_half: float = Field(description="Of the area, seen at half resolution or more")
    share_native: float = Field(description="Of the area, seen at 0.95 or more: sides are rounded to the model's patches")
    areas: list[AreaBody] = Field(description="The whole image first, then the crops")
