"""What Trainer and Tuner take in, made once for all processes that share the tests."""

import pickle

import filelock
import pytest
from tfx.types import artifact_utils

from tests.support import upstream


@pytest.fixture(scope="session")
def upstream_made(tmp_path_factory, worker_id):
    """The synthetic data, and the Trainer's input artifacts by key; not to be changed."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "upstream"
    made = folder / "made.pickle"
    with filelock.FileLock(f"{folder}.lock"):
        if not made.exists():
            data, inputs = upstream.trainer_inputs(folder)
            artifacts = {name: [artifact] for name, artifact in inputs.items()}
            made.write_bytes(pickle.dumps((data, artifact_utils.jsonify_artifact_dict(artifacts))))
    data, artifacts = pickle.loads(made.read_bytes())
    inputs = artifact_utils.parse_artifact_dict(artifacts)
    return data, {name: artifact for name, (artifact,) in inputs.items()}
