"""The canonical tables: what every layout is read into."""

from __future__ import annotations

import pyarrow as pa

from schema import features

# Columns of the canonical tables. A users table has only those user features
# that the dataset brings, in this order.
INTERACTIONS_SCHEMA = pa.schema(
    [
        (features.USER_ID, pa.dictionary(pa.int32(), pa.string())),
        (features.ITEM_ID, pa.dictionary(pa.int32(), pa.string())),
        (features.RATING, pa.float32()),
        (features.TIMESTAMP, pa.int64()),
    ]
)
CANDIDATES_SCHEMA = pa.schema(
    [
        (features.USER_ID, pa.string()),
        (features.TARGET_ITEM_ID, pa.string()),
        (features.CANDIDATE_ITEM_ID, pa.list_(pa.string())),
    ]
)
USERS_SCHEMA = pa.schema(
    [
        (features.USER_ID, pa.string()),
        (features.GENDER, pa.string()),
        (features.AGE, pa.int64()),
        (features.OCCUPATION, pa.string()),
        (features.ZIP_CODE, pa.string()),
    ]
)
ITEMS_SCHEMA = pa.schema(
    [
        (features.ITEM_ID, pa.string()),
        (features.TITLE, pa.string()),
        (features.GENRES, pa.list_(pa.string())),
        (features.YEAR, pa.int64()),
    ]
)
