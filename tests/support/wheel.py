"""Our wheel or sdist, and an environment that has our code from nowhere else."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("schema", "components", "transform", "trainer", "pipeline")
MODULES = ("local_runner.py", "kubeflow_runner.py")
# Besides PACKAGES, what the wheel is built from.
FILES = ("pyproject.toml", "setup.py", "README.md", *MODULES)


def copied(folder: pathlib.Path) -> pathlib.Path:
    """Copies what is packed, since setuptools leaves files behind where it works."""
    copy = folder / "copy"
    copy.mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    return copy


def build(folder: pathlib.Path) -> pathlib.Path:
    """Builds the wheel."""
    copy = copied(folder)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-build-isolation"]
    subprocess.run([*command, f"--wheel-dir={folder}", str(copy)], check=True, capture_output=True)
    (wheel,) = folder.glob("movielens_tfx-*.whl")
    return wheel


def environment(package: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Makes an environment with the wheel or sdist; returns its folder of programs.

    The other packages are those of the running interpreter, found through a
    .pth file. Its own .pth files are not looked at there, so a checkout that is
    installed in editable mode is out of sight.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    pip += ["--no-deps", "--no-index", "--force-reinstall", "--disable-pip-version-check"]
    pip += ["--no-build-isolation"]
    subprocess.run([*pip, str(package)], check=True, capture_output=True)
    return folder / "bin"


def variables(programs: pathlib.Path, home: pathlib.Path) -> dict[str, str]:
    """Environment variables of a process that shall find the wheel only."""
    return {
        "PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(home),
        # As the Dockerfile sets it.
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
