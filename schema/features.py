"""Every feature, split and vocabulary name of the project, once.

Raw names are those of the Examples artifacts; the `*_index` names appear
after Transform. Standard library only.
"""

from __future__ import annotations

# Interactions: one row a user, list features in time order.
USER_ID = "user_id"
ITEM_ID = "item_id"
RATING = "rating"
TIMESTAMP = "timestamp"

# User features; a dataset has all, some or none of them.
GENDER = "gender"
AGE = "age"
OCCUPATION = "occupation"
ZIP_CODE = "zip_code"
USER_FEATURES = (GENDER, AGE, OCCUPATION, ZIP_CODE)

# What a row of a held-out split asks for.
TARGET_ITEM_ID = "target_item_id"
TARGET_RATING = "target_rating"
TARGET_TIMESTAMP = "target_timestamp"
CANDIDATE_ITEM_ID = "candidate_item_id"

# Catalog: one row an item.
TITLE = "title"
GENRES = "genres"
YEAR = "year"

# Splits.
TRAIN = "train"
VALID = "valid"
TEST = "test"
CATALOG = "catalog"
INTERACTION_SPLITS = (TRAIN, VALID, TEST)

# After Transform. `item_index` follows `item_id`'s order; `unknown_item_id`
# holds the raw ids of those entries that the item vocabulary lacks.
USER_INDEX = "user_index"
ITEM_INDEX = "item_index"
UNKNOWN_ITEM_ID = "unknown_item_id"
GENDER_INDEX = "gender_index"
AGE_INDEX = "age_index"
OCCUPATION_INDEX = "occupation_index"
USER_CONTEXT_INDICES = (GENDER_INDEX, AGE_INDEX, OCCUPATION_INDEX)
# What the Trainer keeps of a user beside the history; AGE is 0 where unknown.
USER_CONTEXT = (*USER_CONTEXT_INDICES, AGE)

# Vocabulary assets that Transform writes (names inside the transform graph).
USER_VOCABULARY = "user_id_vocabulary"
ITEM_VOCABULARY = "item_id_vocabulary"
GENDER_VOCABULARY = "gender_vocabulary"
OCCUPATION_VOCABULARY = "occupation_vocabulary"

# Lower bounds of the age groups after "under 18"; MovieLens 1M publishes ages
# only as these groups, so every dataset can be sliced alike.
AGE_BOUNDARIES = (18, 25, 35, 45, 50, 56)

# Slice features that the evaluation model adds to a held-out row: those that the
# row alone decides, and those that what the model knows has a part in.
AGE_GROUP = "age_group"
ACTIVITY = "activity"
ROW_SLICES = (AGE_GROUP, ACTIVITY)
TARGET_POPULARITY = "target_popularity"
TARGET_GENRE = "target_genre"
TARGET_DECADE = "target_decade"
TARGET_COLDNESS = "target_coldness"
USER_COLDNESS = "user_coldness"
MODEL_SLICES = (TARGET_POPULARITY, TARGET_GENRE, TARGET_DECADE, TARGET_COLDNESS, USER_COLDNESS)

# The rating that the exported model predicts for a held-out row's target.
TARGET_SCORE = "target_score"
