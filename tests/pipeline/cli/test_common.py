"""What all commands answer alike."""

import importlib.metadata

import pytest

import kubeflow_runner
import local_runner
from pipeline.cli import common, dataset, evaluate, exits, lineage
from pipeline.config import run as configuration
from pipeline.config.run import RunConfig


@pytest.mark.parametrize("command", [local_runner, kubeflow_runner, dataset, evaluate, lineage])
def test_every_command_tells_its_version(command, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--version"])
    assert ended.value.code == 0
    version = importlib.metadata.version("movielens-tfx")
    assert capsys.readouterr() == (f"movielens-tfx {version}\n", "")


@pytest.mark.parametrize(
    "name",
    [
        "films \U0001f3ac",
        "été",
        "a: b #c",
        " x ",
        "null",
        "5",
        "it's",
        "*x",
        "a\nb",
        "tab\t",
        "\udcff",
    ],
)
def test_a_folder_is_found_by_whatever_name(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    parser = common.Parser()
    common.add_configuration(parser)
    options = parser.parse_args([f"--data={folder}", "--set=trainer.epochs=3"])
    config = common.apply_overrides(RunConfig(), options, {"trainer.model": "gmf"})
    assert common.data_folder(config.data) == str(folder)
    assert (config.trainer.model, config.trainer.epochs) == ("gmf", 3)
    # As another run would read it back.
    file = tmp_path / "run.yaml"
    file.write_text(configuration.dump(config))
    assert configuration.load(str(file)) == config


def test_an_interrupt_ends_a_command_as_shells_expect(capsys):
    def work():
        raise KeyboardInterrupt

    assert exits.exit_code(work, "interrupted; start again") == 130
    assert capsys.readouterr() == ("", "interrupted; start again\n")
