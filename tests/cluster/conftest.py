import sys

import pytest
import yaml

import kubeflow_runner
from tests.support.cluster_command import CLUSTER


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder with a cluster; returns code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["kubeflow_runner.py"])
    for name in ("CLUSTER", "CONFIG", "PRESET"):
        monkeypatch.delenv(f"MOVIELENS_{name}", raising=False)
    for name in ("KFP_TOKEN", "KFP_COOKIES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(CLUSTER))

    def command(verb, *arguments, cluster="cluster.yaml"):
        where = [f"--cluster={cluster}"] if cluster else []
        code = kubeflow_runner.main([verb, *where, *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command
