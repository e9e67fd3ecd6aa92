"""What a user waits for at once is answered at once."""

import os
import pathlib
import resource
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
HEAVY = {
    *("tensorflow", "tf_keras", "tfx", "apache_beam", "tensorflow_model_analysis", "ml_metadata"),
    *("numpy", "pandas", "pyarrow", "optuna", "kfp", "grpc", "rich", "requests"),
}
CODE = """
import sys, {module}
try:
    code = {module}.main({arguments})
except SystemExit as ended:
    code = ended.code
print(code, *sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("module", "arguments", "code"),
    [
        ("local_runner", ["--help"], "0"),
        ("local_runner", ["--set", "trainer.epoch=3"], "2"),
        ("local_runner", ["--model", "neumff"], "2"),
        ("local_runner", ["--print-schema"], "0"),
        ("kubeflow_runner", ["--help"], "0"),
        ("kubeflow_runner", ["compile", "--set", "trainer.epoch=3"], "2"),
    ],
)
def test_help_and_mistakes_cost_less_than_a_second_and_a_half(module, arguments, code):
    said, spent = _run(module, arguments, ROOT)
    ended, *modules = said[-1].split()
    assert ended == code
    assert not HEAVY & {name.partition(".")[0] for name in modules}
    # Of the processor: other processes on the machine do not count.
    assert spent < 1.5


@pytest.mark.parametrize(
    ("module", "first"), [("local_runner", []), ("pipeline.cli.evaluate", ["model"])]
)
@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("ratings.csv", "userId,movieId,rating,rating", "more than one column 'rating', expected"),
        ("own.csv", "buyer,page,grade,when", "no column for the user, found buyer, page, grade, "),
        ("u.data", "1,2,3,4", "expected 4 fields (user id, item id, rating, timestamp), got 1"),
    ],
)
def test_a_wrong_column_is_told_before_tensorflow_is_loaded(
    module, first, file, line, message, tmp_path
):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / file).write_text(f"{line}\n1,2,3,4\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_text("")
    arguments = [*first, "--data", str(tmp_path / "raw"), "--output", str(tmp_path / "out")]
    (said, told), spent = _run(module, arguments, tmp_path)
    assert said.startswith("error: ")
    assert f"{file}, line 1: {message}" in said
    ended, *modules = told.split()
    assert ended == "2"
    assert not {"tensorflow", "apache_beam", "ml_metadata"} & set(modules)
    assert spent < 1.5
    assert not (tmp_path / "out").exists()


def _run(module, arguments, folder):
    """Return the lines on standard error, and the seconds of the processor."""
    before = _seconds()
    ran = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module, arguments=arguments)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return ran.stderr.splitlines(), _seconds() - before


def _seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
