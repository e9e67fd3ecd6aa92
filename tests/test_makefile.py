"""What `make run` says of the runner's exit code, which make turns into its own."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, "exit code 1: failed"),
        (2, "exit code 2: bad input or configuration"),
        (3, "exit code 3: trained but not blessed, so nothing was pushed"),
        (130, "exit code 130: interrupted"),
        (0, None),
    ],
)
def test_make_run_tells_the_runners_exit_code(code, said, tmp_path):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexit {code}\n")
    python.chmod(0o755)
    # -o: the environment is taken as made.
    command = ["make", "--no-print-directory", "-o", ".venv/.ready", f"PYTHON={python}", "run"]
    # As from a shell, whichever make runs the tests.
    shell = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=shell)
    assert ran.returncode == (2 if code else 0)
    assert ran.stdout == ""
    lines = ran.stderr.splitlines()
    if said is None:
        assert lines == []
    else:
        assert lines[0].startswith(f"local_runner.py ended with {said} (make itself ends with 2")
        assert lines[-1].endswith(f"Error {code}")
