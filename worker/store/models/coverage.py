"""How closely images were looked at."""

from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.models.base import PARTITIONED_BY_BATCH, Base, Small


class CoverageRow(Base):
    """What was seen of the image of a verdict. Together with the crops of its regions it is exact; the figures are over both."""

    __tablename__ = "coverage"
    __table_args__ = (
        CheckConstraint("0 <= share_native AND share_native <= share_half AND share_half <= 1", name="shares"),
        {"comment": "How closely the image of a verdict was looked at; insert-only, and gone with its image", **PARTITIONED_BY_BATCH},
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="Its outcome's revision")
    sent_width: Mapped[int] = mapped_column(comment="Pixels of the whole image as the scan was sent it")
    sent_height: Mapped[int] = mapped_column(comment="Pixels of the whole image as the scan was sent it")
    least: Mapped[float] = mapped_column(comment="Lowest resolution of any part: sent pixels per original pixel of a side")
    mean: Mapped[float] = mapped_column(comment="Mean resolution by area, of the closest look at each part")
    share_half: Mapped[float] = mapped_column(comment="Of the area, seen at half resolution or more")
    share_native: Mapped[float] = mapped_column(comment="Of the area, seen at full resolution: 0.95 or more")
