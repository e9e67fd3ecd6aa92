import numpy as np
import pytest

from components import formats
from pipeline.config import presets
from pipeline.config import run as configuration
from pipeline.config.cluster import ClusterConfig
from pipeline.config.run import DataConfig, RunConfig
from pipeline.datasets import published
from pipeline.datasets.synthetic_config import SyntheticConfig
from schema import settings
from schema.errors import UserError


@pytest.mark.parametrize("name", presets.PRESETS)
def test_a_preset_survives_the_round_trip_through_yaml(name, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(configuration.dump(presets.get(name)))
    assert configuration.load(str(file)) == presets.get(name)


@pytest.mark.parametrize("name", presets.PRESETS)
def test_a_preset_is_named_after_its_data_and_model(name):
    preset = presets.get(name)
    encoder = preset.trainer.two_tower.history_encoder
    # A two-tower model with an encoder of histories goes by the encoder's name.
    named = preset.trainer.model.replace("_", "-") if encoder == "mean" else encoder
    assert name == f"{preset.data.dataset}-{named}"
    assert preset.data.dataset in published.ARCHIVES or preset.data.format == "ncf"


def test_the_default_preset_exists():
    assert presets.get(presets.DEFAULT).trainer.model == "neumf"


def test_an_unknown_preset_gives_the_nearest():
    with pytest.raises(UserError, match="did you mean 'ml-1m-neumf'"):
        presets.get("ml-1m-neumff")


def test_format_names_are_those_of_the_adapters():
    assert sorted(configuration.FORMATS) == sorted(formats.FORMATS)


def test_an_empty_file_means_the_defaults(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("# nothing\n")
    assert configuration.load(str(file)) == RunConfig()


def test_a_file_may_leave_keys_out(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("trainer: {learning_rate: 1e-3, neumf: {hidden_units: [8, 4], l2_mlp: [0, 0]}}")
    trainer = configuration.load(str(file)).trainer
    assert trainer.learning_rate == 0.001
    assert trainer.neumf.hidden_units == (8, 4)
    assert trainer.epochs == RunConfig().trainer.epochs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"trainer:\n  epochs: [1\n", r"run\.yaml, line 3: not YAML"),
        (b"trainer:\n\tepochs: 1\n", r"run\.yaml, line 2: not YAML"),
        (b"trainer: \xff\n", r"run\.yaml: expected UTF-8"),
        (b"trainer: \x00\n", r"run\.yaml: not YAML"),
        (b"a: 1\nb: 2024-13-01\n", r"run\.yaml, line 2: not YAML \(a value that is no timestamp"),
        (b"[" * 1500, r"run\.yaml: not YAML \(nested too deep\)"),
        (b'"a\\nb": 1\n', r"Unknown key 'a\\nb'; valid keys"),
        (b"- trainer\n", r"run\.yaml: configuration: expected a mapping"),
        (b"trainer:\n  epoch: 3\n", r"run\.yaml: Unknown key 'trainer\.epoch'.*'trainer\.epochs'"),
        (b"trainer:\n  epochs: many\n", r"run\.yaml: trainer\.epochs: expected an integer"),
        (b"data: {format: ml-1k}\n", r"run\.yaml: data\.format: expected one of auto, "),
        (
            b"gate:\n  floors: {hr@10: 0.9}\n\ngate: {max_drop: 0.1}\n",
            r"run\.yaml, line 4: the key 'gate' stands in line 1 too, expected each key once\.",
        ),
        (b"data: {path: ''}\n", r"run\.yaml: data\.path: expected a folder"),
        (b"data: {path: 'synthetic:seeds=1'}\n", r"data\.path: synthetic: .*did you mean 'seed'"),
    ],
)
def test_a_bad_file_is_one_sentence_with_file_and_line_or_key(tmp_path, content, message):
    file = tmp_path / "run.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        configuration.load(str(file))
    assert "\n" not in str(caught.value)


def test_a_cluster_file_repeats_no_key_either(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text("image: registry/a:1\nroot: gs://b/r\nimage: registry/b:1\n")
    with pytest.raises(UserError, match=r"cluster\.yaml, line 3: the key 'image' stands in line 1"):
        configuration.read(str(file), ClusterConfig)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot read the configuration \(No such"):
        configuration.load(str(tmp_path / "none.yaml"))


def test_overrides_apply_in_order_and_reach_every_level():
    config = configuration.override(
        RunConfig(),
        ["trainer.epochs=3", "trainer.neumf.l2_mf=1e-6", "trainer.epochs=4", "evaluation.k=5"],
    )
    assert (config.trainer.epochs, config.trainer.neumf.l2_mf, config.evaluation.k) == (4, 1e-6, 5)


def test_overrides_that_only_hold_together_are_checked_together():
    protocols = "evaluation.protocols={uni: {candidates: sampled}}"
    names = ["trainer.validation_protocol=uni", "gate.protocol=uni"]
    config = configuration.override(RunConfig(), [protocols, *names])
    assert list(config.evaluation.protocols) == [config.gate.protocol] == ["uni"]


@pytest.mark.parametrize("option", ["draw: popularity", "exclude: history", "mlperf: true"])
def test_an_epoch_can_be_validated_by_whatever_protocol_the_evaluator_knows(option):
    protocols = f"evaluation.protocols={{full: {{}}, hard: {{candidates: sampled, {option}}}}}"
    names = ["trainer.validation_protocol=hard", "gate.protocol=hard"]
    config = configuration.override(RunConfig(), [protocols, *names])
    assert config.trainer.validation_protocol == config.gate.protocol == "hard"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("trainer.epochs", "--set: expected KEY=VALUE, got 'trainer.epochs'"),
        ("=3", "--set: expected KEY=VALUE"),
        ("trainer.learning_rates=1", r"did you mean 'trainer\.learning_rate'"),
        ("trainr.epochs=1", "did you mean 'trainer'"),
        ("trainer.learning_rate=-1", r"trainer\.learning_rate: expected > 0, got -1"),
        (
            "evaluation.protocols={full: {}, full: {candidates: sampled}}",
            r"evaluation\.protocols: the key 'full' stands in line 1 too, expected each key once",
        ),
        ("evaluation.k=0", r"evaluation\.k: expected at least 1, got 0"),
        # What libraries would refuse, or turn into another number, when minutes are over.
        ("trainer.seed=4294967296", r"trainer\.seed: expected at most 4294967295, got 4294967296"),
        ("evaluation.seed=4294967296", r"evaluation\.seed: expected at most 4294967295"),
        ("data.ingest.seed=4294967296", r"data\.ingest\.seed: expected at most 4294967295"),
        ("tune.seed=4294967296", r"tune\.seed: expected at most 4294967295"),
        (
            "data.path='synthetic:users=9,items=9,interactions=30,seed=4294967296'",
            "seed: expected at m",
        ),
        ("evaluation.k=10001", r"evaluation\.k: expected at most 10000, got 10001"),
        ("evaluation.more_k=[20000]", r"evaluation\.more_k: expected each at most 10000"),
        ("trainer.batch_size=2147483648", r"trainer\.batch_size: expected at most 2147483647"),
        ("trainer.neumf.embedding_dim=65537", r"embedding_dim: expected at most 65536, got 65537"),
        ("trainer.neumf.hidden_units=[131072, 8]", r"hidden_units: expected each at most 65536"),
        ("trainer.neumf.hidden_units=[7, 4]", "must be even, got 7"),
        ("data.ingest.min_user_interactions=0", "min_user_interactions: expected at least 1"),
    ],
)
def test_a_bad_override_names_the_key(assignment, message):
    with pytest.raises(UserError, match=message):
        configuration.override(RunConfig(), [assignment])


@pytest.mark.parametrize(
    ("data", "label"),
    [
        (DataConfig(), "ml-100k"),
        (DataConfig(path="/some/where/my ratings/"), "my-ratings"),
        (DataConfig(path="gs://bucket/ml_25m"), "ml-25m"),
        (DataConfig(path="/some/where/clicks.csv.gz"), "clicks"),
        (DataConfig(path="/some/where/clicks.v2.parquet"), "clicks.v2"),
        (DataConfig(path="/"), "data"),
        (
            DataConfig(path="synthetic:items=500,users=2000,interactions=60000"),
            "synthetic-2000-500-60000-fff27a63",
        ),
    ],
)
def test_the_label_of_the_data_is_fit_for_names(data, label):
    assert data.label == label


def test_a_run_on_a_folder_records_no_dataset(tmp_path):
    config = configuration.override(presets.get("ml-100k-neumf"), ["data.path=/my/films"])
    assert settings.to_dict(config)["data"]["dataset"] is None
    file = tmp_path / "run.yaml"
    file.write_text(configuration.dump(config))
    assert configuration.load(str(file)) == config
    assert DataConfig(dataset="ml-1m", path="synthetic:users=5,items=9,interactions=20") == (
        DataConfig(path="synthetic:users=5,items=9,interactions=20")
    )
    with pytest.raises(UserError, match=r"data\.dataset: expected a name, or a path, got"):
        configuration.override(config, ["data.path=null"])


def test_a_file_may_ask_for_generated_data(tmp_path):
    text = "synthetic:users=20,items=30,interactions=100"
    file = tmp_path / "run.yaml"
    file.write_text(f"data: {{path: '{text}'}}")
    config = configuration.load(str(file))
    assert config.data.synthetic == SyntheticConfig(users=20, items=30, interactions=100)
    assert DataConfig(path="/synthetic:").synthetic is None
    file.write_text(configuration.dump(config))
    assert configuration.load(str(file)) == config


def test_every_setting_is_plain_json():
    values = settings.to_dict(RunConfig())
    assert set(values) == set(RunConfig.model_fields)


def test_columns_are_those_of_a_table_of_ones_own():
    named = ["data.columns.user=buyer", "data.columns.rating=false", "data.path=own.csv"]
    columns = configuration.override(RunConfig(), named).data.columns
    assert (columns.user, columns.item, columns.rating) == ("buyer", None, False)
    for other in ("data.path=null", "data.format=ml-1m", "data.path='synthetic:users=5'"):
        with pytest.raises(UserError, match=r"^data\.(columns|path|dataset)"):
            configuration.override(RunConfig(), ["data.dataset=ml-1m", *named, other])


def test_the_largest_seed_is_one_for_every_library():
    last = 2**32 - 1
    keys = ("trainer.seed", "evaluation.seed", "data.ingest.seed", "tune.seed")
    config = configuration.override(RunConfig(), [f"{key}={last}" for key in keys])
    assert config.trainer.seed == config.evaluation.seed == last
    np.random.RandomState(config.trainer.seed)
    with pytest.raises(ValueError, match="Seed must be between"):
        np.random.RandomState(last + 1)
