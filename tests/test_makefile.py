"""What make says of the runner's exit code and of a machine that lacks Python or uv.

The set-up is run in a copy of its four files, on a PATH of stand-ins.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

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


def test_lint_leaves_the_makefiles_own_tools_alone(tmp_path):
    """Also in a tree without git, whose .gitignore then says nothing."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in (".venv-tools/uv", "pipeline"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.py").write_text("")
    command = [sys.executable, "-m", "ruff", "check", "--show-files", "."]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    files = [os.path.relpath(line, tmp_path) for line in listed.stdout.splitlines()]
    assert files == ["pipeline/x.py", "pyproject.toml"]


@pytest.fixture
def machine(tmp_path):
    """A folder with the files that the set-up reads, and `tools`, all that is on its PATH."""
    for name in ("Makefile", "pyproject.toml", "uv.lock", ".python-version"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "chmod", "make", "mkdir", "cat", "grep", "nproc", "sed", "tail"):
        (tools / name).symlink_to(shutil.which(name))
    # Only has to be there.
    (tools / "g++").symlink_to(shutil.which("true"))
    (tools / "touch").write_text(f'#!{tools / "bash"}\necho "made $*"\n')
    (tools / "touch").chmod(0o755)
    return tmp_path


def _place(machine, name, body):
    """Put a stand-in on the PATH; it writes down how it was called, and goes on with `body`."""
    script = machine / "tools" / name
    lines = [f"#!{machine / 'tools/bash'}", f'echo "{name} $*" >> {machine / "calls"}', body]
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)


def _make(machine, *arguments):
    """Call make; give its exit code, what it said, and how the stand-ins were called."""
    tools = machine / "tools"
    ran = subprocess.run(
        [str(tools / "make"), "--no-print-directory", f"SHELL={tools / 'bash'}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=machine,
        env={"PATH": str(tools), "HOME": str(machine)},
    )
    calls = machine / "calls"
    return ran, calls.read_text().splitlines() if calls.exists() else []


def _refusal(ran):
    """The one sentence before make's own line."""
    assert ran.returncode == 2
    sentence, own = ran.stderr.splitlines()
    assert own.startswith("make: *** [")
    return sentence


PYTHON_WITHOUT_PIP = f"""
case "$*" in "-m pip"*) echo "$0: No module named pip" >&2; exit 1 ;; esac
exec {sys.executable} "$@"
"""


def _wheel(folder):
    """A wheel whose uv says only that it runs."""
    path = folder / "uv.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("uv-0.data/scripts/uv", f"#!{folder / 'tools/bash'}\necho it runs: $*\n")
        wheel.writestr("uv-0.data/scripts/uvx", "")
    return path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_pip_the_set_up_takes_uv_from_its_wheel(machine):
    _place(machine, "python3", PYTHON_WITHOUT_PIP)
    url, digest = _wheel(machine)
    ran, _ = _make(machine, "setup", f"UV_WHEEL={url}", f"UV_SHA256={digest}")
    assert ran.returncode == 0, ran.stderr
    assert "it runs: sync --frozen" in ran.stdout.splitlines()
    assert ran.stdout.splitlines()[-1] == "made .venv/.ready"


def test_a_wheel_of_other_bytes_is_not_installed(machine):
    _place(machine, "python3", PYTHON_WITHOUT_PIP)
    url, _ = _wheel(machine)
    ran, _ = _make(machine, "setup", f"UV_WHEEL={url}", "UV_SHA256=0")
    assert "could not be installed (file:///" in _refusal(ran)
    assert "uv.whl has another SHA-256 than 0); install it (docs.astral.sh/uv)" in ran.stderr
    assert not (machine / ".venv-tools").exists()


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        (PYTHON_WITHOUT_PIP, "file:///nowhere/uv.whl: <urlopen error"),
        (
            'case "$*" in *--version) ;; *) echo "ERROR: no such release" >&2; exit 1 ;; esac',
            "(ERROR: no such release)",
        ),
    ],
    ids=["without pip", "with pip"],
)
def test_a_uv_that_cannot_be_had_is_told_in_one_sentence(python, reason, machine):
    _place(machine, "python3", python)
    ran, _ = _make(machine, "setup", "UV_WHEEL=file:///nowhere/uv.whl")
    assert reason in _refusal(ran)


def test_a_machine_without_python_is_told_what_to_install(machine):
    ran, _ = _make(machine, "setup")
    assert _refusal(ran) == (
        "make: neither uv nor python3 is here; install Python 3 or uv (docs.astral.sh/uv)."
    )


NO_PYTHON = 'case "$1 $2" in "python find") exit 2 ;; "python install") {install} ;; esac'
UNREACHED = """echo "error: Request failed after 3 retries
  cause: error sending request
  cause: dns error" >&2; exit 1"""


def test_the_locked_python_is_downloaded_where_it_is_missing(machine):
    _place(machine, "uv", NO_PYTHON.format(install=""))
    ran, calls = _make(machine, "setup")
    assert ran.returncode == 0, ran.stderr
    wanted = (ROOT / ".python-version").read_text().strip()
    steps = ["--version", f"python find {wanted}", f"python install {wanted}", "sync --frozen"]
    assert calls == [f"uv {step}" for step in steps]


def test_a_python_that_cannot_be_downloaded_is_told_in_one_sentence(machine):
    _place(machine, "uv", NO_PYTHON.format(install=UNREACHED))
    ran, calls = _make(machine, "setup")
    wanted = (ROOT / ".python-version").read_text().strip()
    sentence = _refusal(ran)
    assert sentence.startswith(f"make: Python {wanted} is not on this machine and uv could not ")
    assert f"from github.com (dns error); install Python {wanted}, or name another" in sentence
    assert "uv sync --frozen" not in calls


def test_packages_that_cannot_be_had_are_told_after_uvs_words(machine):
    _place(machine, "uv", 'if [ "$1" = sync ]; then echo "error: boom" >&2; exit 2; fi')
    ran, calls = _make(machine, "setup")
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[0] == "error: boom"
    assert "from files.pythonhosted.org, which must be reached," in ran.stderr.splitlines()[1]
    assert "uv python install" not in " ".join(calls)
    assert "made" not in ran.stdout


COMPILES = 'if [ "$1" = sync ]; then [ -z "${CXX-}" ] || "$CXX" -c "a b.cc"; fi'


def test_a_compiler_that_is_here_compiles(machine):
    _place(machine, "uv", COMPILES)
    ran, calls = _make(machine, "setup")
    assert ran.returncode == 0, ran.stderr
    assert calls[-1] == "uv sync --frozen"


def test_without_a_compiler_uv_brings_one(machine):
    (machine / "tools" / "g++").unlink()
    # A wrapper is a script of the system's shell.
    (machine / "tools" / "sh").symlink_to("/bin/sh")
    _place(machine, "uv", COMPILES)
    ran, calls = _make(machine, "setup")
    assert ran.returncode == 0, ran.stderr
    assert "No C++ compiler is here" in ran.stdout
    tool, _, arguments = calls[-1].partition(" python-zig ")
    assert tool.startswith("uv tool run --quiet --from ziglang==")
    assert arguments == "c++ -c a b.cc"
