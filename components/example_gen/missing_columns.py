"""What a table without ratings or timestamps cannot be asked for."""

from __future__ import annotations

from collections.abc import Collection

from components.example_gen.config import TEMPORAL, IngestConfig
from schema import features
from schema.settings import check


def check_ingest(where: str, columns: Collection[str], config: IngestConfig) -> None:
    """Refuse settings that need a column which the data do not have.

    Args:
      where: the data, for messages.
      columns: canonical names of the columns that the interactions have.
      config: what is to be kept and held out.

    Raises:
      UserError: ratings are to be compared or times to be cut, and there are none.
    """
    check(
        config.min_rating is None or features.RATING in columns,
        f"{where}: there is no rating column, so data.ingest.min_rating={config.min_rating} has "
        "nothing to compare; leave it out, or name the column with data.columns.rating.",
    )
    check(
        config.split != TEMPORAL or features.TIMESTAMP in columns,
        f"{where}: there is no timestamp column, so data.ingest.split={TEMPORAL} has no times to "
        "cut at; take another split, or name the column with data.columns.timestamp.",
    )
