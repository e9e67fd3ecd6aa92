"""What a blessing tells, whichever back end handed it on."""

import json

import pytest
from tfx.types import standard_artifacts

from components.evaluator.gate.baseline import blessing_history

BEFORE = {"k": 5, "ties": "average"}


def _local(properties):
    blessing = standard_artifacts.ModelBlessing()
    for name, value in properties.items():
        blessing.set_string_custom_property(name, value)
    return blessing


def _cluster(properties):
    """As a task on Kubeflow or Vertex AI gets it."""
    pipeline_spec_pb2 = pytest.importorskip("kfp.pipeline_spec.pipeline_spec_pb2")
    utils = pytest.importorskip(
        "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils"
    )
    sent = pipeline_spec_pb2.RuntimeArtifact()
    sent.type.instance_schema = "title: tfx.ModelBlessing"
    sent.metadata.update(properties)
    artifacts = pipeline_spec_pb2.ArtifactList(artifacts=[sent])
    return utils.parse_raw_artifact_dict({"blessing": artifacts})["blessing"][0]


@pytest.mark.parametrize("make", [_local, _cluster])
def test_changed_settings_and_force_are_read_whoever_hands_the_blessing_on(make):
    blessing = make({"evaluation": json.dumps(BEFORE), "force_bless": "locked out"})
    changed, forced = blessing_history(blessing, {**BEFORE, "k": 10})
    assert "(evaluation.k: 5 -> 10)" in changed
    assert forced.endswith("by force: locked out")


def test_a_blessing_that_says_nothing_is_passed_over():
    assert not list(blessing_history(standard_artifacts.ModelBlessing(), BEFORE))
    assert not list(blessing_history(None, BEFORE))
