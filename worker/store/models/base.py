"""What every table shares: naming of constraints, column shorthands, partitioning."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, MetaData, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import DeclarativeBase, mapped_column

# Partitioned by ranges of UUIDv7, that is by time. A DEFAULT partition comes with the table; operators add ranges.
PARTITIONED_BY_BATCH = {"postgresql_partition_by": "RANGE (batch_id)"}
PARTITIONED_TABLES = (
    "items",
    "row_errors",
    "outcomes",
    "regions",
    "traces",
    "routings",
    "outcome_words",
    "coverage",
    "faithfulness_checks",
    "faithfulness_maskings",
    "coverage",
)

BigSerial = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=True)]
Small = Annotated[int, mapped_column(SmallInteger)]
Jsonb = Annotated[dict[str, Any], mapped_column(JSONB)]
Now = Annotated[datetime, mapped_column(server_default=func.now())]


class Base(DeclarativeBase):
    """Declarative base; constraint names are predictable so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own declarative attribute
        str: Text,
        datetime: DateTime(timezone=True),
        UUID: PG_UUID(as_uuid=True),
    }


def one_of(column: str, values: type[Any] | tuple[str, ...]) -> str:
    """SQL of a CHECK that `column` holds one of an enum's values."""
    names = values if isinstance(values, tuple) else tuple(value.value for value in values)
    return f"{column} IN ({', '.join(repr(name) for name in names)})"
