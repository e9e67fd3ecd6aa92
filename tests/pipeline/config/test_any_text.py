"""Whatever a configuration says: it is read and reads the same again, or a sentence refuses it."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import beam, cluster, run
from pipeline.config.cluster import ClusterConfig
from pipeline.config.run import RunConfig
from pipeline.datasets import synthetic_config
from schema.settings import to_dict
from tests.support import fuzz

pytestmark = pytest.mark.fuzz

one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
# What YAML takes for more than it seems.
TOKENS = (
    *(
        b"- ",
        b"? ",
        b": ",
        b":",
        b"#",
        b"|",
        b">",
        b"&a ",
        b"*a",
        b"<<: ",
        b"---\n",
        b"...",
        b"%",
        b"@",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"[1, 2]",
        b"{a: b}",
        b"{1: 2}",
        b"[[]]",
        b"{}",
        b"[]",
        b"'",
        b'"',
        b",",
    ),
    *(
        b"!!int x",
        b"!!bool x",
        b"!!float x",
        b"!!timestamp x",
        b"!!binary x",
        b"!!binary /w==",
        b"!!set {}",
    ),
    *(
        b"!!python/name:os.system",
        b"!!omap [1]",
        b"!!pairs [a]",
        b"!!null x",
        b"!x y",
        b'"\\uD800"',
    ),
    *(
        b"2024-05-31",
        b"2024-13-01",
        b"2024-05-31T99:00:00Z",
        b"1:60",
        b"0b_",
        b"0x_",
        b"0o8",
        b"1_0",
        b"0x" + b"f" * 5000,
    ),
    *(
        b"~",
        b"null",
        b"true",
        b"no",
        b".nan",
        b"-.inf",
        b"inf",
        b"nan",
        b"1e-3",
        b"1e999",
        b"-1",
        b"0",
        b"1",
        b"0.5",
    ),
    *(
        b"18446744073709551616",
        b"9" * 400,
        b"9" * 5000,
        b"[" * 2000,
        b"synthetic:users=3",
        b"custom",
        b"\xe9",
        b"\0",
    ),
    *(
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\x1b",
        b"\t",
        b"\n",
        b"\n  ",
        b" ",
        b"",
        b"a\nb",
        b"full",
        b"sampled",
    ),
)
CLUSTER = ClusterConfig(
    root="gs://bucket/root",
    resources={"RecommenderTrainer": {"cpu": 4, "accelerator": "T4", "accelerators": 1}},
    vertex={"labels": {"team": "films"}, "training": {"workers": 2}},
    beam={"runner": "direct", "options": {"direct_num_workers": 2}},
)


def _keys(values, prefix=""):
    for key, value in values.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")


KEYS = [*_keys(to_dict(RunConfig())), "trainer.two_tower.ssl", "evaluation.protocols.full.draw"]
TEXTS = [token.decode("utf-8", "replace") for token in TOKENS]


def _dump(config):
    return yaml.safe_dump(to_dict(config), sort_keys=False)


@one_folder
@given(fuzz.files(run.dump(RunConfig()).encode(), TOKENS))
def test_the_file_of_a_run_is_read_or_refused(tmp_path, content):
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    config, _ = fuzz.refused(lambda: run.load(str(path)))
    if config is not None:
        path.write_text(run.dump(config), encoding="utf-8")
        assert run.load(str(path)) == config
        assert config.pipeline_name.isprintable()


@one_folder
@given(fuzz.files(_dump(CLUSTER).encode(), TOKENS))
def test_the_file_of_a_cluster_is_read_or_refused(tmp_path, content):
    path = tmp_path / "cluster.yaml"
    path.write_bytes(content)
    config, _ = fuzz.refused(lambda: run.read(str(path), ClusterConfig))
    if config is not None:
        cluster.custom_job(config)
        fuzz.refused(lambda: cluster.check_strategy("mirrored", config.vertex.training))
        for vertex in (False, True):
            asked = cluster.beam_config(config, config.beam, vertex)
            fuzz.refused(lambda: beam.arguments(asked, config.image))  # noqa: B023 - called here


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KEYS) | st.text(max_size=8),
            st.sampled_from(TEXTS) | st.text(max_size=8),
        ).map("=".join)
        | st.text(max_size=12),
        max_size=3,
    )
)
def test_assignments_are_taken_or_refused(assignments):
    # What stands on the command line is quoted whole.
    longest = 2000 + 2 * sum(map(len, assignments))
    config, _ = fuzz.refused(lambda: run.override(RunConfig(), assignments), longest)
    if config is not None:
        assert run.override(config, []) == config
        assert RunConfig(**yaml.safe_load(run.dump(config))) == config


NUMBERS = ["3", "0", "-1", "1_0", "٣", "1e2", "nan", "inf", "", " 4 ", "9" * 30, "9" * 5000, "0.5"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*synthetic_config.SyntheticConfig.model_fields, "", "User"]),
            st.sampled_from(["=", "", " = ", "=="]),
            st.sampled_from(NUMBERS) | st.text(max_size=3) | st.integers(0, 99).map(str),
        ).map("".join),
        max_size=4,
    ).map(",".join),
    st.booleans(),
)
def test_a_synthetic_recipe_is_read_or_refused(text, sized):
    start = "users=20,items=30,interactions=90," if sized else ""
    whole = f"synthetic:{start}{text}"
    recipe, _ = fuzz.refused(lambda: synthetic_config.parse(whole), longest=2000 + len(whole))
    if recipe is not None:
        assert synthetic_config.parse(recipe.text) == recipe
        assert recipe.name.isprintable()
