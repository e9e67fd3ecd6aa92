"""The wiring: which component reads what, and what makes it run again.

Nothing here knows a number: settings come from pipeline.config.
"""

from __future__ import annotations

import dataclasses

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.components import Pusher, StatisticsGen, Transform
from tfx.dsl.components.base import base_node, executor_spec
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, transform_pb2
from tfx.types import standard_component_specs

from components.columns import TableConfig
from components.evaluator.component import RecommenderEvaluator
from components.evaluator.eval_config import build_eval_config
from components.evaluator.keys import EVALUATION_KEY, FORCE_KEY, GATE_KEY
from components.example_gen.component import CatalogExampleGen, InteractionsExampleGen
from components.pusher import PIPELINE_KEY
from components.pusher import Executor as AtomicPusherExecutor
from components.schema_gen import CuratedSchema
from components.trainer.component import RecommenderTrainer
from components.tuner.component import RecommenderTuner
from components.validator.component import StrictExampleValidator
from components.validator.config import ValidationConfig
from pipeline import backend as backends
from pipeline.backend import Backend, Blessed
from pipeline.config.run import RunConfig
from pipeline.node_ids import (
    CATALOG,
    CATALOG_VALIDATOR,
    EVALUATOR,
    INTERACTIONS,
    INTERACTIONS_VALIDATOR,
    PUSHER,
    TRAINER,
    TRANSFORM,
    TUNER,
    digest,
)
from schema import curated, features, settings
from schema.keys import DIGEST_KEY
from trainer.config import keys
from trainer.config.runtime import EPOCHS_KEY, OVERRIDES_KEY
from transform.config import SETTINGS_KEY

PREPROCESSING_FN = "transform.preprocessing.preprocessing_fn"


@dataclasses.dataclass(frozen=True)
class RunPaths:
    """Hold where a run reads and writes.

    Attributes:
      input_base: folder of the raw files.
      format_name: their layout, one of components.formats.FORMATS.
      pipeline_root: where artifacts are kept.
      serving_dir: where blessed models are pushed.
      checkpoints: where a training or a search that is killed leaves what it
        goes on from when run again; None keeps nothing.
      table: file and columns, of a table of one's own.
    """

    input_base: str
    format_name: str
    pipeline_root: str
    serving_dir: str
    checkpoints: str | None = None
    table: TableConfig = dataclasses.field(default_factory=TableConfig)


def create_pipeline(
    name: str,
    config: RunConfig,
    paths: RunPaths,
    connection: metadata_store_pb2.ConnectionConfig | None = None,
    beam_pipeline_args: list[str] | None = None,
    backend: Backend | None = None,
    force_bless: str | None = None,
) -> Pipeline:
    """Build the pipeline.

    Args:
      name: the pipeline's name; models are compared, and results reused, only
        within one name.
      config: what to compute.
      paths: where.
      connection: to the metadata store, for runners that are given one.
      beam_pipeline_args: of every Beam component.
      backend: what kind of back end runs it; this machine when None.
      force_bless: why the model is to be blessed whatever the gate finds; part
        of the Evaluator's cache key, so a run without it decides anew.

    Returns:
      The pipeline, ready for a runner.
    """
    backend = backend or Backend()
    ingest, examples, catalog = _ingest(config, paths, backend)
    checks, schema, validators = _checks(config.data.validation, examples, catalog)
    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn=PREPROCESSING_FN,
        splits_config=transform_pb2.SplitsConfig(
            analyze=[features.TRAIN], transform=[features.TRAIN, features.VALID]
        ),
        # Transform would compute statistics of its inputs and outputs once
        # more, which doubles its time.
        disable_statistics=True,
        custom_config={
            SETTINGS_KEY: settings.to_dict(config.transform),
            DIGEST_KEY: digest(TRANSFORM),
        },
    )
    base = backends.base(backend) if config.trainer.warm_start else None
    training = _training(config, paths, backend, transform, catalog, base.model if base else None)
    trainer = training[-1]
    # Anomalies stop the run before anything is computed from the data.
    for validator in validators:
        for node in (transform, *training):
            node.add_upstream_node(validator)
    baseline = backends.baseline(backend, trainer.outputs["model"], base)
    evaluator = _evaluator(config, examples, schema, trainer, baseline, force_bless)
    pusher = _pusher(trainer, evaluator, paths.serving_dir, name)
    return Pipeline(
        pipeline_name=name,
        pipeline_root=paths.pipeline_root,
        components=[
            *ingest,
            *checks,
            transform,
            *(base.nodes if base else ()),
            *training,
            *baseline.nodes,
            evaluator,
            pusher,
        ],
        enable_cache=True,
        metadata_connection_config=connection,
        beam_pipeline_args=beam_pipeline_args,
    )


def _ingest(
    config: RunConfig, paths: RunPaths, backend: Backend
) -> tuple[list[base_node.BaseNode], types.BaseChannel, types.BaseChannel]:
    """Make both example generators; return the interactions' and the catalog's channels too."""
    folder = backend.parameter(backends.DATA, paths.input_base, unset=paths.input_base)
    interactions = InteractionsExampleGen(
        input_base=folder,
        format_name=paths.format_name,
        config=config.data.ingest,
        source_digest=digest(INTERACTIONS),
        table=paths.table,
    )
    catalog = CatalogExampleGen(
        input_base=folder,
        format_name=paths.format_name,
        source_digest=digest(CATALOG),
        table=paths.table,
    )
    return [interactions, catalog], interactions.outputs["examples"], catalog.outputs["examples"]


def _checks(
    config: ValidationConfig, examples: types.BaseChannel, catalog: types.BaseChannel
) -> tuple[list[base_node.BaseNode], types.BaseChannel, list[base_node.BaseNode]]:
    """Make the checks against the curated schemas; return that of the interactions too."""
    nodes: list[base_node.BaseNode] = []
    schemas = {}
    validators: list[base_node.BaseNode] = []
    for title, validates, name, channel in (
        ("Interactions", INTERACTIONS_VALIDATOR, curated.INTERACTIONS, examples),
        ("Catalog", CATALOG_VALIDATOR, curated.CATALOG, catalog),
    ):
        schema = CuratedSchema(name=name, digest=curated.digest(name)).with_id(f"{title}Schema")
        schemas[name] = schema.outputs["schema"]
        statistics = StatisticsGen(examples=channel).with_id(f"{title}Statistics")
        validator = StrictExampleValidator(
            statistics=statistics.outputs["statistics"], schema=schemas[name], config=config
        ).with_id(validates)
        validators.append(validator)
        nodes += [schema, statistics, validator]
    return nodes, schemas[curated.INTERACTIONS], validators


def _training(
    config: RunConfig,
    paths: RunPaths,
    backend: Backend,
    transform: base_node.BaseNode,
    catalog: types.BaseChannel,
    base_model: types.BaseChannel | None,
) -> list[base_node.BaseNode]:
    """Make the Tuner, where trials are asked for, and the Trainer."""
    channels = {
        "examples": transform.outputs["transformed_examples"],
        "transform_graph": transform.outputs["transform_graph"],
        keys.CATALOG_KEY: catalog,
    }
    custom_config = {
        keys.TRAINER_KEY: settings.to_dict(config.trainer),
        keys.EVALUATION_KEY: settings.to_dict(
            config.evaluation.for_training(config.trainer.validation_protocol)
        ),
        keys.USER_OOV_KEY: config.transform.user_oov_buckets,
        keys.ITEM_OOV_KEY: config.transform.item_oov_buckets,
        keys.STATES_KEY: paths.checkpoints,
    }
    # What the two executors of trainer.config.runtime read.
    runtime = {
        EPOCHS_KEY: backend.parameter(EPOCHS_KEY, config.trainer.epochs),
        OVERRIDES_KEY: backend.parameter(OVERRIDES_KEY, "{}"),
    }
    nodes: list[base_node.BaseNode] = []
    found = {}
    if config.tune.trials:
        tuned = {keys.TUNE_KEY: settings.to_dict(config.tune), DIGEST_KEY: digest(TUNER)}
        nodes.append(
            RecommenderTuner(**channels, custom_config={**custom_config, **tuned}, **runtime)
        )
        outputs = nodes[0].outputs
        found = {
            "hyperparameters": outputs[standard_component_specs.BEST_HYPERPARAMETERS_KEY],
            keys.BEST_RUN_KEY: outputs[keys.BEST_RUN_KEY],
        }
    kind = RecommenderTrainer
    if backend.training_job is not None:
        # It loads Google's client.
        from components.trainer import vertex

        kind = vertex.VertexRecommenderTrainer
        custom_config |= vertex.job_config(backend.training_job, str(backend.region))
    trainer = kind(
        **channels,
        custom_config={**custom_config, DIGEST_KEY: digest(TRAINER)},
        **found,
        base_model=base_model,
        **runtime,
    ).with_id(TRAINER)
    return [*nodes, trainer]


def _evaluator(
    config: RunConfig,
    examples: types.BaseChannel,
    schema: types.BaseChannel,
    trainer: base_node.BaseNode,
    baseline: Blessed,
    force_bless: str | None,
) -> base_node.BaseNode:
    """Make the Evaluator, which decides whether a trained model may be served."""
    sources = digest(EVALUATOR)
    return RecommenderEvaluator(
        examples=examples,
        model=trainer.outputs["model"],
        baseline_model=baseline.model,
        baseline_blessing=baseline.blessing,
        schema=schema,
        eval_config=build_eval_config(
            config.evaluation,
            sources,
            config.trainer.predicts_ratings,
            config.trainer.negatives_per_positive,
        ),
        settings={
            EVALUATION_KEY: settings.to_dict(config.evaluation),
            GATE_KEY: settings.to_dict(config.gate),
            FORCE_KEY: force_bless,
            DIGEST_KEY: sources,
        },
    ).with_id(EVALUATOR)


def _pusher(
    trainer: base_node.BaseNode, evaluator: base_node.BaseNode, serving_dir: str, name: str
) -> base_node.BaseNode:
    return Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving_dir)
        ),
        custom_config={DIGEST_KEY: digest(PUSHER), PIPELINE_KEY: name},
        custom_executor_spec=executor_spec.ExecutorClassSpec(AtomicPusherExecutor),
    )
