"""Everything that Transform and CatalogExampleGen wrote, read into memory."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_transform as tft

from schema import features
from trainer.data.catalog import Catalog, read_catalog
from trainer.data.interactions import Interactions
from trainer.data.reader import read_histories


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Hold the data of one training.

    Attributes:
      catalog: the candidate items, without counts.
      train: histories of all users.
      valid: the users with validation targets, their histories without these.
      user_vocabulary: raw user ids by index.
      user_oov_buckets: out-of-vocabulary user indices after those.
      genders: by index, from 1 on.
      occupations: by index, from 1 on.
    """

    catalog: Catalog
    train: Interactions
    valid: Interactions
    user_vocabulary: list[bytes]
    user_oov_buckets: int
    genders: list[bytes]
    occupations: list[bytes]

    @functools.cached_property
    def known(self) -> Interactions:
        """All that is known before the test split: train, and the targets of valid."""
        return self.train.followed_by(self.valid.with_targets())

    @property
    def context_sizes(self) -> tuple[int, ...]:
        """Return the number of indices of each context feature, 0 being unknown.

        In the order of schema.features.USER_CONTEXT_INDICES.
        """
        return len(self.genders) + 1, len(features.AGE_BOUNDARIES) + 2, len(self.occupations) + 1

    @property
    def num_users(self) -> int:
        """User indices, out-of-vocabulary ones included."""
        return len(self.user_vocabulary) + self.user_oov_buckets


def read_dataset(
    transform_graph: str,
    train_files: Sequence[str],
    valid_files: Sequence[str],
    catalog_files: Sequence[str],
    user_oov_buckets: int,
    item_oov_buckets: int,
) -> Dataset:
    """Read the Trainer's inputs.

    Args:
      transform_graph: folder of Transform's graph, which holds the
        vocabularies.
      train_files: file patterns of the transformed train split.
      valid_files: the same of the valid split.
      catalog_files: the same of the raw catalog split.
      user_oov_buckets: as Transform was configured.
      item_oov_buckets: as Transform was configured.

    Returns:
      The data set.

    Raises:
      UserError: a split is empty, or catalog and interactions do not belong
        together.
    """
    output = tft.TFTransformOutput(transform_graph)
    vocabulary = output.vocabulary_by_name(features.ITEM_VOCABULARY)
    catalog = read_catalog(_files(catalog_files), vocabulary, item_oov_buckets)
    return Dataset(
        catalog=catalog,
        train=read_histories(_files(train_files), catalog),
        valid=read_histories(_files(valid_files), catalog),
        user_vocabulary=output.vocabulary_by_name(features.USER_VOCABULARY),
        user_oov_buckets=user_oov_buckets,
        genders=output.vocabulary_by_name(features.GENDER_VOCABULARY),
        occupations=output.vocabulary_by_name(features.OCCUPATION_VOCABULARY),
    )


def _files(patterns: Sequence[str]) -> list[str]:
    return sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
