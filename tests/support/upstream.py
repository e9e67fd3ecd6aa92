"""What lies upstream of training: real components' artifacts, made executor by executor."""

from tfx.components import Transform
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import transform_pb2
from tfx.types import channel_utils, standard_artifacts

from components.example_gen.component import CatalogExampleGen, InteractionsExampleGen
from components.example_gen.config import IngestConfig
from schema import curated, features
from tests.support import synthetic


class Runner:
    """Runs executors one by one, giving each output artifact a folder."""

    def __init__(self, folder):
        self._folder = folder

    def __call__(self, component, **inputs):
        work = self._folder / component.id
        outputs = {}
        for name, channel in component.spec.outputs.items():
            outputs[name] = [channel.type()]
            outputs[name][0].uri = str(work / name)
        executor = component.executor_spec.executor_class
        arguments = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=arguments, tmp_dir=str(work / "temporary"), unique_id="1"
        )
        artifacts = {name: [artifact] for name, artifact in inputs.items()}
        executor(context).Do(artifacts, outputs, dict(component.exec_properties))
        return {name: artifact[0] for name, artifact in outputs.items()}


def trainer_inputs(folder, users=60, items=40):
    """Synthetic data in ML-100K's layout, and the artifacts by RecommenderTrainer's input keys."""
    data = synthetic.write(folder / "raw", "ml-100k", users=users, items=items)
    source = {"input_base": str(data.folder), "format_name": "ml-100k", "source_digest": ""}
    run = Runner(folder)
    examples = run(InteractionsExampleGen(config=IngestConfig(), **source))["examples"]
    catalog = run(CatalogExampleGen(**source))["examples"]
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    (folder / "schema").mkdir()
    (folder / "schema/schema.pbtxt").write_text(curated.read(curated.INTERACTIONS))
    transform = run(
        Transform(
            examples=channel_utils.as_channel([examples]),
            schema=channel_utils.as_channel([schema]),
            preprocessing_fn="transform.preprocessing.preprocessing_fn",
            splits_config=transform_pb2.SplitsConfig(
                analyze=[features.TRAIN], transform=[features.TRAIN, features.VALID]
            ),
            disable_statistics=True,
            custom_config={"transform": {}},
        ),
        examples=examples,
        schema=schema,
    )
    return data, {
        "examples": transform["transformed_examples"],
        "transform_graph": transform["transform_graph"],
        "catalog": catalog,
    }
