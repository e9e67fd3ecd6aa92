"""Evaluates one exported model outside of a pipeline: TFMA's figures, and ranks by user.

Nothing is recorded and nothing is blessed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx.dsl.io import fileio

from components.evaluator import measuring
from components.evaluator.held_out import batches
from components.evaluator.ranking.evaluation_model import EvaluationModel
from components.metrics.rank_outputs import MODEL, POPULARITY, RankOutputs
from schema import atomic_write, features

_WRITERS = {".csv": pyarrow.csv.CSVWriter, ".parquet": pyarrow.parquet.ParquetWriter}
# Rows whose ranks are counted and written at a time.
_BATCH = 512


def measure(
    model: tfma.EvalSharedModel,
    files: list[str],
    eval_config: config_pb2.EvalConfig,
    output_path: str,
) -> None:
    """Let TFMA evaluate a model.

    Args:
      model: what measuring.shared_model gave.
      files: TFRecord files of the held-out rows.
      eval_config: as for the Evaluator; a baseline in it is passed over.
      output_path: folder for what TFMA writes, as in a ModelEvaluation artifact.
    """
    with beam.Pipeline() as pipeline:
        measuring.measure(pipeline, files, [model], eval_config, output_path)


def write_ranks(
    model: EvaluationModel,
    files: list[str],
    protocols: tuple[str, ...],
    path: str,
    progress: Callable[[int], None],
    quote_formulas: bool = False,
) -> None:
    """Write where each held-out item stands, whole or not at all.

    One row a user and held-out item: `user_id`, `target_item_id` and, for each
    protocol, `{protocol}_greater` (candidates that are scored better),
    `{protocol}_ties` (scored equal), `{protocol}_candidates` (length of the
    list), and the first two of the popularity ranking with `popularity_` before
    them.

    Args:
      model: as loaded for the evaluation.
      files: TFRecord files of the held-out rows.
      protocols: names of the protocols.
      path: a file whose name ends in .csv or .parquet; not written where there
        are no rows.
      progress: called with the number of users that are done.
      quote_formulas: whether ids that a spreadsheet would compute get an apostrophe
        before them; see `quoted`.
    """
    users = 0
    # Arrow writes to local files only.
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, os.path.basename(path))
        writer = None
        for serialized in batches(files, _BATCH):
            table = _ranks(model, serialized, protocols)
            if quote_formulas:
                for at, name in enumerate((features.USER_ID, features.TARGET_ITEM_ID)):
                    table = table.set_column(at, name, quoted(table.column(name)))
            if writer is None:
                writer = _WRITERS[os.path.splitext(path)[1]](local, table.schema)
            writer.write_table(table)
            users += len(serialized)
            progress(users)
        if writer is not None:
            writer.close()
            with atomic_write.file(path) as unfinished:
                fileio.copy(local, unfinished, overwrite=True)


def quoted(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Put an apostrophe before what spreadsheets take for a formula, which shows it as text.

    OWASP, "CSV Injection", names the first characters.

    Args:
      ids: strings.
    """
    formulas = pc.match_substring_regex(ids, "^[=+\\-@\t\r\n]")
    return pc.if_else(formulas, pc.binary_join_element_wise("'", ids, ""), ids)


def _ranks(model: EvaluationModel, serialized: list[bytes], protocols: tuple[str, ...]) -> pa.Table:
    """Return the rows of some users; per-target columns of `rank` are padded to the longest row."""
    rows = [tf.train.Example.FromString(record).features.feature for record in serialized]
    targets = [list(row[features.TARGET_ITEM_ID].bytes_list.value) for row in rows]
    lengths = np.asarray([len(row) for row in targets])
    users = [row[features.USER_ID].bytes_list.value[0] for row in rows]
    columns = {
        features.USER_ID: pa.array(np.repeat(np.asarray(users, object), lengths), pa.binary()),
        features.TARGET_ITEM_ID: pa.array([item for row in targets for item in row], pa.binary()),
    }
    columns = {name: column.cast(pa.string()) for name, column in columns.items()}
    found = model.rank(tf.constant(serialized))
    for protocol in protocols:
        for name in (
            *(RankOutputs.greater(protocol, subject) for subject in (MODEL, POPULARITY)),
            *(RankOutputs.ties(protocol, subject) for subject in (MODEL, POPULARITY)),
            RankOutputs.candidates(protocol),
        ):
            columns[name] = pa.array(_flat(found[name].numpy(), lengths))
    return pa.table(columns)


def _flat(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """One value a target out of [B, T], padded, or of [B]."""
    if values.ndim == 1:
        return np.repeat(values, lengths)
    present = np.arange(values.shape[1]) < lengths[:, np.newaxis]
    flat: np.ndarray = values[present]
    return flat
