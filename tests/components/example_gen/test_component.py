import json
import os

import pytest
from tfx.components.example_gen import driver
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

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
