"""What all commands answer alike."""

import concurrent.futures
import importlib.metadata
import shlex
import signal
import subprocess

import pytest

import kubeflow_runner
import local_runner
from pipeline.cli import common, dataset, evaluate, exits, lineage, processes, raw_data
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
    assert raw_data.locate(config.data) == str(folder)
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


def test_a_sigterm_ends_a_command_as_ctrl_c_does(capsys):
    before = signal.getsignal(signal.SIGTERM)
    tidied = []

    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
            return 0
        finally:
            tidied.append(True)

    assert exits.exit_code(work, "interrupted; start again") == 130
    assert capsys.readouterr() == ("", "interrupted; start again\n")
    assert tidied == [True]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_sigterm_interrupts_the_processes_that_a_command_started():
    shell = "trap 'echo told; exit 3' INT; echo ready; while :; do sleep 0.05; done"
    started = []
    # A suite that was started in the background ignores SIGINT, and so would the shells.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def work():
        # A shell with a shell in it, as Beam starts its workers.
        command = ["sh", "-c", f"sh -c {shlex.quote(shell)}; exit $?"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout.readline() == "ready\n"
        assert len(processes.descendants()) >= 2
        signal.raise_signal(signal.SIGTERM)
        return 0

    try:
        assert exits.exit_code(work) == 130
        (child,) = started
        assert child.communicate(timeout=20)[0] == "told\n"
        assert child.returncode != 0
    finally:
        signal.signal(signal.SIGINT, before)
        for child in started:
            child.kill()


def test_a_command_may_run_in_any_thread():
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        assert thread.submit(exits.exit_code, lambda: 7).result() == 7
