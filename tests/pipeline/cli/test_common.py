"""What all commands answer alike."""

import importlib.metadata

import pytest

import kubeflow_runner
import local_runner
from pipeline.cli import dataset, evaluate, exits, lineage


@pytest.mark.parametrize("command", [local_runner, kubeflow_runner, dataset, evaluate, lineage])
def test_every_command_tells_its_version(command, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--version"])
    assert ended.value.code == 0
    version = importlib.metadata.version("movielens-tfx")
    assert capsys.readouterr() == (f"movielens-tfx {version}\n", "")


def test_an_interrupt_ends_a_command_as_shells_expect(capsys):
    def work():
        raise KeyboardInterrupt

    assert exits.exit_code(work, "interrupted; start again") == 130
    assert capsys.readouterr() == ("", "interrupted; start again\n")
