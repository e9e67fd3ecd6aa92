"""Names by which the pipeline, Trainer and Tuner hand things to each other.

Keys of custom_config, then files in artifacts.
"""

from __future__ import annotations

# Settings as dicts.
TRAINER_KEY = "trainer"
EVALUATION_KEY = "evaluation"
TUNE_KEY = "tune"
# Numbers of the buckets that Transform hashed unknown ids into.
USER_OOV_KEY = "user_oov_buckets"
ITEM_OOV_KEY = "item_oov_buckets"
# The channel with the catalog, and its file patterns in custom_config.
CATALOG_KEY = "catalog"
# Folder for the states of unfinished trainings and searches; may be None.
STATES_KEY = "checkpoints"

# The channel with the training of the Tuner's best trial, and its folder in custom_config.
BEST_RUN_KEY = "best_run"

# What the Trainer tells of itself.
TRAINING_FILE = "training.json"
# TensorBoard's, in the folder of the run.
LOGS_FOLDER = "logs"
# All trials of a search, for programs and as a table.
TRIALS_FILE = "trials.json"
TABLE_FILE = "trials.csv"
# The best trial's, in KerasTuner's format of hyper-parameters.
VALUES_KEY = "values"
# Begins the name of a search's folder among the states of trainings.
SEARCH_STATES = "tuning-"
