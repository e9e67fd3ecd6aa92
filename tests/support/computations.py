"""TFMA's computations of our metrics, run as its evaluator runs them, and rows for them."""

import json

import numpy as np
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.metrics.gather import RANKS, TABLE, GatherRanks, Packed, pack

PROTOCOLS = "full", "sampled"
ONE_A_ROW = {
    "user_fingerprint",
    "catalog_size",
    "top_diversity",
    *(
        f"{protocol}_{name}"
        for protocol in PROTOCOLS
        for name in ("candidates", "weight", "positive_loss", "negative_loss")
    ),
}


def eval_config(*metrics, models=("",)):
    return config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(name=m, is_baseline=m == "baseline") for m in models],
        metrics_specs=[config_pb2.MetricsSpec(metrics=list(metrics), model_names=models)],
    )


def metric(module, class_name, **config):
    return config_pb2.MetricConfig(
        module=f"components.metrics.{module}", class_name=class_name, config=json.dumps(config)
    )


def hit_rate(name="hr@1_full", **config):
    return metric("hr", "RankHitRate", name=name, protocol="full", **{"k": 1, **config})


def run(config, rows, order=None):
    """Runs TFMA's computations as its evaluator does, in two shards."""
    computations = metric_specs.to_computations(list(config.metrics_specs), config)
    (preprocessor,), combiner = computations[0].preprocessors, computations[0].combiner
    shards = [combiner.create_accumulator(), combiner.create_accumulator()]
    for number in range(len(rows)) if order is None else order:
        packed = list(preprocessor.process({RANKS: packed_row(rows[number])}))
        shards[number % 2] = combiner.add_inputs(shards[number % 2], packed)
    metrics = combiner.extract_output(combiner.merge_accumulators(shards))
    kinds = metric_types.DerivedMetricComputation, metric_types.CIDerivedMetricComputation
    for kind in kinds:
        for computation in [c for c in computations if type(c) is kind]:
            metrics.update(computation.result(metrics))
            if kind is kinds[0] and len(config.model_specs) == 2:
                metrics.update(changes(metrics))
    return {key: value for key, value in metrics.items() if not key.name.startswith("_")}


def packed_row(row):
    """A batch of one row, or of one row of several models."""
    models = row if "candidate" in row else {"": row}
    batch = {
        model: {
            # Of what has no width of its own there is one value a row.
            name: value if name in ONE_A_ROW else value[np.newaxis]
            for name, value in outputs.items()
        }
        for model, outputs in models.items()
    }
    return pack(batch)


def tables(packed: Packed):
    """The tables of packed rows, by model."""
    models = list(dict.fromkeys(column.model for column in packed.columns))
    found = GatherRanks(models).extract_output(packed)
    return {key.model_name: value for key, value in found.items() if key.name == TABLE}


def changes(metrics):
    """What TFMA's AddDiffMetrics adds."""
    return {
        key.make_diff_key(): value - metrics[key.make_baseline_key("baseline")]
        for key, value in metrics.items()
        if key.model_name == "candidate" and not key.name.startswith("_") and not key.is_diff
    }


def predictions(user, pad=0, **columns):
    """A row's outputs: arrays of one value, or of T or K values."""
    targets = [
        f"{subject}{protocol}_{count}"
        for subject in ("", "popularity_")
        for protocol in PROTOCOLS
        for count in ("greater", "ties")
    ]
    values = {name: np.asarray([0]) for name in targets}
    values |= {f"{p}_candidates": np.asarray([100]) for p in PROTOCOLS}
    values |= {f"{p}_weight": np.asarray([1.0]) for p in PROTOCOLS}
    values |= {name: np.atleast_1d(value) for name, value in columns.items()}
    length = max(len(value) for value in values.values())
    for name in (*targets, "target_score", "target_rating"):
        if name in values:
            nothing = -1 if name in targets else np.nan
            missing = length - len(values[name]) + pad
            padding = np.full(missing, nothing, values[name].dtype)
            values[name] = np.append(values[name], padding)
    packed = {
        name: value.astype(np.float32 if value.dtype.kind == "f" else np.int32)
        for name, value in values.items()
    }
    return {"user_fingerprint": np.asarray([user], np.int64), **packed}


def two_models(**metrics):
    """Four hundred rows of a candidate that hits half, and of a baseline that hits a quarter."""
    return [
        {
            "candidate": predictions(n, full_greater=n % 2, **metrics),
            "baseline": predictions(n, full_greater=int(n % 4 > 0)),
        }
        for n in range(400)
    ]
