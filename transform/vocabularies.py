"""All vocabularies of Transform, counted in one pass over the data.

TFT has an analyzer that writes one vocabulary, in eight Beam stages that move every
string; here each batch is counted where it lies, and only what differs is moved.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.beam import experimental

# The one entry of a vocabulary without any, since a lookup table cannot be empty; TFT's.
NOTHING = b"49d0cd50-04bb-48c0-bc6f-5b575dce351a"

# Weight of each value, a vocabulary after the other.
Counts = list[collections.Counter[bytes]]


@dataclasses.dataclass(frozen=True)
class VocabularySource:
    """Say what a vocabulary holds.

    Attributes:
      values: string [N], of a batch.
      weights: float32 [N], by which a value counts; None for 1 each.
      min_weight: values with less have no entry.
    """

    values: tf.Tensor
    weights: tf.Tensor | None = None
    min_weight: int = 1


def write_vocabularies(sources: Mapping[str, VocabularySource]) -> dict[str, tf.Tensor]:
    """Analyze the data set: write each vocabulary's entries, those of most weight first.

    Of equal weights the last by its bytes comes first. An empty value, or one that
    holds a line's end, has no entry.

    Args:
      sources: by the names of the files.

    Returns:
      Of each its file's path, a string scalar, for tft.apply_vocabulary.
    """
    inputs: list[tf.Tensor] = []
    for source in sources.values():
        weights = source.weights
        inputs += [source.values, tf.ones([0]) if weights is None else weights]
    paths = tft.experimental.ptransform_analyzer(
        inputs=inputs,
        ptransform=_Vocabularies(
            tuple(sources), tuple(source.min_weight for source in sources.values())
        ),
        output_dtypes=[tf.string] * len(sources),
        output_shapes=[[]] * len(sources),
        output_asset_default_values=[NOTHING] * len(sources),
        name="vocabularies",
    )
    return dict(zip(sources, paths, strict=True))


class _Vocabularies(experimental.PTransformAnalyzer):
    """Count batches and write one file a vocabulary."""

    def __init__(self, names: Sequence[str], min_weights: Sequence[int]) -> None:
        super().__init__()
        self._names = names
        self._min_weights = min_weights

    def expand(self, batches: beam.PCollection) -> tuple[beam.PCollection, ...]:
        folder, names, least = self.base_temp_dir, self._names, self._min_weights

        def write(counts: Counts) -> Iterable[beam.pvalue.TaggedOutput]:
            tf.io.gfile.makedirs(folder)
            for name, of_one, min_weight in zip(names, counts, least, strict=True):
                path = os.path.join(folder, name)
                with tf.io.gfile.GFile(path, "wb") as file:
                    file.write(b"".join(entry + b"\n" for entry in entries(of_one, min_weight)))
                yield beam.pvalue.TaggedOutput(name, np.asarray(path, object))

        written = (
            batches
            | "Count" >> beam.CombineGlobally(CountFn(len(names)))
            | "Write" >> beam.FlatMap(write).with_outputs(*names)
        )
        return tuple(written[name] for name in names)


class CountFn(beam.CombineFn):
    """Add up the weights of the values of all batches.

    Args:
      vocabularies: how many; a batch has the values and the weights of each in turn.
    """

    def __init__(self, vocabularies: int) -> None:
        super().__init__()
        self._vocabularies = vocabularies

    def create_accumulator(self) -> Counts:
        """Begin without values."""
        return [collections.Counter() for _ in range(self._vocabularies)]

    def add_input(self, counts: Counts, batch: Sequence[np.ndarray]) -> Counts:
        """Count one batch."""
        for of_one, values, weights in zip(counts, batch[::2], batch[1::2], strict=True):
            if not len(weights):
                of_one.update(values.tolist())
                continue
            for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
                of_one[value] += weight
        return counts

    def merge_accumulators(self, parts: Iterable[Counts]) -> Counts:
        """Add up what was counted apart."""
        total = self.create_accumulator()
        for part in parts:
            for of_all, of_one in zip(total, part, strict=True):
                of_all.update(of_one)
        return total

    def extract_output(self, counts: Counts) -> Counts:
        """Return the sums."""
        return counts


def entries(weights: Mapping[bytes, float], min_weight: int) -> list[bytes]:
    """Choose and order the entries of a vocabulary.

    Args:
      weights: of all values.
      min_weight: see VocabularySource.

    Returns:
      The entries, at least one.
    """
    kept = [
        (weight, value)
        for value, weight in weights.items()
        if weight >= min_weight and value and b"\n" not in value and b"\r" not in value
    ]
    return [value for _, value in sorted(kept, reverse=True)] or [NOTHING]
