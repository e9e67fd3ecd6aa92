import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.schema_gen import CuratedSchema
from schema import curated
from schema.errors import UserError


def run(name, uri):
    component = CuratedSchema(name=name, digest="d")
    artifact = standard_artifacts.Schema()
    artifact.uri = str(uri)
    executor = component.executor_spec.executor_class()
    executor.Do({}, {"schema": [artifact]}, dict(component.exec_properties))
    return artifact


@pytest.mark.parametrize("name", curated.NAMES)
def test_the_artifact_is_what_stock_readers_expect(tmp_path, name):
    artifact = run(name, tmp_path / "schema")
    schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(artifact.uri))
    assert schema == text_format.Parse(curated.read(name), schema_pb2.Schema())


def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="interactions, catalog"):
        run("users", tmp_path / "schema")
    assert not (tmp_path / "schema").exists()


def test_an_edited_schema_is_another_cache_key():
    keys = [CuratedSchema(name="catalog", digest=d).exec_properties for d in ("d", "e")]
    assert keys[0] != keys[1]
