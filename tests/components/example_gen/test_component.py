import json
import os

import pytest
from tfx.components.example_gen import driver
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from components.columns import ColumnsConfig, TableConfig
from components.example_gen.component import CatalogExampleGen, InteractionsExampleGen
from components.example_gen.config import IngestConfig
from schema.errors import UserError
from tests.support import synthetic


def interactions(folder, layout="ml-100k", config=IngestConfig(), digest="d"):  # noqa: B008
    return InteractionsExampleGen(
        input_base=str(folder), format_name=layout, config=config, source_digest=digest
    )


def catalog(folder, layout="ml-100k", digest="d"):
    return CatalogExampleGen(input_base=str(folder), format_name=layout, source_digest=digest)


def patterns(component):
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(component.exec_properties["input_config"], config)
    return {split.name: split.pattern for split in config.splits}


def fingerprint(component):
    resolved = driver.FileBasedDriver(None).resolve_exec_properties(
        dict(component.exec_properties), None, None
    )
    return resolved["input_fingerprint"]


def test_the_inputs_are_the_files_that_each_reads_and_no_others():
    assert patterns(interactions("data")) == {"interactions": "u.data", "users": "u.user"}
    assert patterns(catalog("data")) == {"items": "u.item", "interactions": "u.data"}
    assert patterns(interactions("data", "ncf")).keys() == {
        "interactions",
        "held_out",
        "candidates",
    }


@pytest.mark.parametrize(
    ("name", "reruns_interactions", "reruns_catalog"),
    [
        ("u.data", True, True),
        ("u.user", True, False),
        ("u.item", False, True),
        ("README", False, False),
    ],
)
def test_a_changed_file_changes_the_fingerprints_of_its_readers(
    tmp_path, name, reruns_interactions, reruns_catalog
):
    synthetic.write(tmp_path, "ml-100k", users=10, items=10)
    (tmp_path / "README").write_text("terms")
    before = fingerprint(interactions(tmp_path)), fingerprint(catalog(tmp_path))
    with open(tmp_path / name, "a") as file:
        file.write("\n")
    after = fingerprint(interactions(tmp_path)), fingerprint(catalog(tmp_path))
    assert (before[0] != after[0]) == reruns_interactions
    assert (before[1] != after[1]) == reruns_catalog


def test_an_equally_long_edit_shows_by_its_time(tmp_path):
    synthetic.write(tmp_path, "ml-100k", users=10, items=10)
    before = fingerprint(interactions(tmp_path))
    os.utime(tmp_path / "u.data", (1, 1))
    assert fingerprint(interactions(tmp_path)) != before


def test_settings_and_sources_enter_the_cache_key():
    def key(component):
        return json.dumps(component.exec_properties, sort_keys=True)

    base = key(interactions("data"))
    assert base == key(interactions("data"))
    assert base != key(interactions("data", config=IngestConfig(seed=43)))
    assert base != key(interactions("data", digest="e"))
    assert base != key(interactions("data", "ml-1m"))
    assert key(catalog("data")) != key(catalog("data", digest="e"))


def test_both_are_file_based_example_gens():
    # TFX's Kubeflow compiler gives those the driver that fingerprints files.
    assert issubclass(InteractionsExampleGen, FileBasedExampleGen)
    assert issubclass(CatalogExampleGen, FileBasedExampleGen)


def test_an_unknown_format_is_refused():
    with pytest.raises(UserError, match="ml-100"):
        interactions("data", "ml-100")


def own(file=None, **columns):
    table = TableConfig(file=file, columns=ColumnsConfig(**columns))
    return [
        InteractionsExampleGen("data", "table", IngestConfig(), "d", table),
        CatalogExampleGen("data", "table", "d", table),
    ]


def test_file_and_columns_enter_the_cache_keys_of_both():
    kinds = [{}, {"file": "a.csv"}, {"file": "b.csv"}, {"user": "buyer"}, {"user": "payer"}]
    kinds += [{"rating": False}]
    for generators in zip(*(own(**kind) for kind in kinds), strict=True):
        keys = {json.dumps(it.exec_properties, sort_keys=True) for it in generators}
        assert len(keys) == len(kinds)


def test_data_without_columns_of_their_own_keep_their_cache_keys():
    settings = json.loads(interactions("data").exec_properties["custom_config"])
    assert settings["custom_config"]["value"].keys() == {"format", "ingest", "source_digest"}


@pytest.mark.parametrize(
    ("name", "reruns"),
    [
        ("a-0.csv", True),
        ("a-7.csv", True),
        ("b.tsv.gz", True),
        ("c.parquet", True),
        ("d.txt", False),
    ],
)
def test_any_file_that_may_be_of_a_table_changes_its_fingerprint(tmp_path, name, reruns):
    (tmp_path / "a-0.csv").write_text("user,item\n")
    generators = [interactions(tmp_path, "table"), catalog(tmp_path, "table")]
    before = [fingerprint(it) for it in generators]
    (tmp_path / name).write_text("user,item\n1,2\n")
    for was, generator in zip(before, generators, strict=True):
        assert (was != fingerprint(generator)) == reruns


def test_of_one_file_only_that_file_counts(tmp_path):
    for name in ("a[1].csv", "a1.csv"):
        (tmp_path / name).write_text("user,item\n")
    table = TableConfig(file="a[1].csv")
    one = InteractionsExampleGen(str(tmp_path), "table", IngestConfig(), "d", table)
    before = fingerprint(one)
    (tmp_path / "a1.csv").write_text("user,item\n1,2\n")
    assert fingerprint(one) == before
    (tmp_path / "a[1].csv").write_text("user,item\n1,2\n")
    assert fingerprint(one) != before


def test_other_formats_take_no_columns():
    with pytest.raises(UserError, match=r"^data\.format: expected table with data\.columns, got"):
        InteractionsExampleGen(
            "data", "ml-1m", IngestConfig(), "d", TableConfig(columns=ColumnsConfig(user="u"))
        )
