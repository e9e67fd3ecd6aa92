"""Lets TFMA measure models on held-out rows that are ranked, and sliced, a batch at a time.

TFMA's own extractors take every row apart and hand it to every slice in Python, which
takes longer than the ranking. Here its evaluator gets, for each slice, all rows that
the slice has of a batch, packed: combining, figures and the files that it writes are
TFMA's as ever.
"""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors.slice_key_extractor import SLICE_KEY_EXTRACTOR_STAGE_NAME
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils import config_util

from components.evaluator.held_out import batches
from components.evaluator.ranking.evaluation_model import EvaluationModel
from components.evaluator.slice_rows import SliceKey, slice_rows
from components.metrics.gather import RANKS, Packed, pack, take

# Rows of one call of a model; no more of what a call gives is held at once than each
# thread's.
_ROWS_OF_A_CALL = 512


def shared_model(name: str, path: str, load: Callable[[], EvaluationModel]) -> tfma.EvalSharedModel:
    """Describe a model to TFMA.

    Args:
      name: of its spec in the EvalConfig.
      path: of the exported model, for whoever reads the results.
      load: makes its EvaluationModel, once a process, on workers too.

    Returns:
      The description, whose `model_loader` loads it.
    """
    return tfma.EvalSharedModel(
        model_path=path,
        model_name=name,
        model_type=tfma.constants.TF_GENERIC,
        model_loader=tfma.ModelLoader(load),
        include_default_metrics=False,
        is_baseline=name == tfma.constants.BASELINE_KEY,
    )


def measure(
    pipeline: beam.Pipeline,
    files: Sequence[str],
    models: Sequence[tfma.EvalSharedModel],
    eval_config: config_pb2.EvalConfig,
    output_path: str,
) -> None:
    """Add what measures models to a pipeline.

    Args:
      pipeline: runs it.
      files: TFRecord files of the held-out rows.
      models: what `shared_model` gave, the candidate first. TFMA passes over a
        baseline of the eval_config that is not among them.
      eval_config: what build_eval_config gave.
      output_path: folder for what TFMA writes, as in a ModelEvaluation artifact.
    """
    # TFMA calls a model that is alone by no name.
    alone = len(models) == 1
    shared = models[0] if alone else list(models)
    eval_config = config_util.update_eval_config_with_defaults(eval_config, has_baseline=not alone)
    loaders = {"" if alone else model.model_name: model.model_loader for model in models}
    slicings = [tuple(spec.feature_keys) for spec in eval_config.slicing_specs]
    rank = tfma.extractors.Extractor(
        SLICE_KEY_EXTRACTOR_STAGE_NAME, beam.ParDo(RankRows(loaders, slicings))
    )
    _ = (
        pipeline
        | "Files" >> beam.Create(list(files))
        | "SpreadFiles" >> beam.Reshuffle()
        | "ReadRows" >> beam.FlatMap(read_rows)
        | "ExtractEvaluateAndWriteResults"
        >> tfma.ExtractEvaluateAndWriteResults(
            eval_shared_model=shared,
            eval_config=eval_config,
            extractors=[rank],
            writers=_writers(models, eval_config, output_path),
        )
    )


def _writers(
    models: Sequence[tfma.EvalSharedModel], eval_config: config_pb2.EvalConfig, output_path: str
) -> list[tfma.writers.Writer]:
    """Write figures and configuration only: plots, attributions and thresholds there are none."""
    return [
        tfma.writers.EvalConfigWriter(
            output_path,
            eval_config=eval_config,
            model_locations={model.model_name: model.model_path for model in models},
        ),
        tfma.writers.MetricsPlotsAndValidationsWriter(
            {tfma.constants.METRICS_KEY: os.path.join(output_path, tfma.constants.METRICS_KEY)},
            eval_config=eval_config,
        ),
    ]


def read_rows(file: str) -> Iterator[dict[str, pa.RecordBatch]]:
    """Read held-out rows as `RankRows` takes them.

    Args:
      file: a TFRecord file.

    Yields:
      Extracts of a batch each.
    """
    for batch in batches([file]):
        rows = pa.array(batch, pa.large_binary())
        yield {tfma.constants.ARROW_RECORD_BATCH_KEY: pa.RecordBatch.from_arrays([rows], ["rows"])}


@beam.typehints.with_input_types(tfma.Extracts)
@beam.typehints.with_output_types(tfma.Extracts)
class RankRows(beam.DoFn):
    """Rank the rows of a batch with every model, and give each slice its own.

    Args:
      loaders: of the models by name, the candidate first: it alone names the slices,
        since a row whose models disagreed would count in two.
      slicings: features of each.
    """

    def __init__(
        self, loaders: dict[str, tfma.ModelLoader], slicings: Sequence[Sequence[str]]
    ) -> None:
        self._loaders = loaders
        self._slicings = slicings

    def setup(self) -> None:
        """Load the models, unless another worker of the process has."""
        self._models = {name: loader.load() for name, loader in self._loaders.items()}

    def process(self, extracts: dict[str, pa.RecordBatch]) -> Iterator[dict[str, object]]:
        """Rank the rows.

        Args:
          extracts: serialized rows under ARROW_RECORD_BATCH_KEY.

        Yields:
          Extracts of one slice each, with its packed rows under RANKS.
        """
        serialized = extracts[tfma.constants.ARROW_RECORD_BATCH_KEY].column(0).to_pylist()
        parts = [
            serialized[start : start + _ROWS_OF_A_CALL]
            for start in range(0, len(serialized), _ROWS_OF_A_CALL)
        ]
        packed = Packed()
        slices: dict[SliceKey, list[np.ndarray]] = {}
        # Some of a call's work is done by one thread alone.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for number, (ranks, own) in enumerate(threads.map(self._ranked, parts)):
                packed.append(ranks)
                for key, rows in own:
                    slices.setdefault(key, []).append(number * _ROWS_OF_A_CALL + rows)
        groups = (np.concatenate(rows) for rows in slices.values())
        for key, ranks in zip(slices, take(packed, groups), strict=True):
            keys = np.empty(1, object)
            keys[0] = key
            yield {tfma.constants.SLICE_KEY_TYPES_KEY: keys, RANKS: ranks}

    def _ranked(self, serialized: list[bytes]) -> tuple[Packed, list[tuple[SliceKey, np.ndarray]]]:
        examples = tf.constant(serialized)
        (first, candidate), *others = self._models.items()
        found, columns = candidate.rank_and_slice(examples)
        outputs = {first: found, **{name: model.rank(examples) for name, model in others}}
        arrays = {
            model: {name: value.numpy() for name, value in named.items()}
            for model, named in outputs.items()
        }
        values = {name: column.numpy() for name, column in columns.items()}
        return pack(arrays), list(slice_rows(values, self._slicings, len(serialized)))
