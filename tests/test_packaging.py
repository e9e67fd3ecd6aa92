"""Names that PyPI has too resolve to ours, and the wheel holds what runs."""

import importlib.util
import pathlib
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("schema", "components", "transform", "trainer", "pipeline")


@pytest.mark.parametrize("name", [*PACKAGES, "local_runner"])
def test_our_top_level_names_resolve_to_this_repository(name):
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert pathlib.Path(spec.origin).is_relative_to(ROOT)


def test_the_wheel_holds_every_module_and_the_schema_files(tmp_path):
    sources = [p for package in PACKAGES for p in (ROOT / package).rglob("*.py")]
    wanted = {p.relative_to(ROOT).as_posix() for p in sources}
    wanted |= {"local_runner.py", "schema/interactions.pbtxt", "schema/catalog.pbtxt"}
    # A copy, so that setuptools leaves no build folder in the repository.
    copy = tmp_path / "copy"
    for path in [ROOT / name for name in ("pyproject.toml", "setup.py", "README.md")]:
        copy.mkdir(exist_ok=True)
        (copy / path.name).write_bytes(path.read_bytes())
    for name in wanted:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += [
        "--disable-pip-version-check",
        "--no-build-isolation",
        f"--wheel-dir={tmp_path}",
        str(copy),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (wheel,) = tmp_path.glob("movielens_tfx-*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    assert wanted <= names
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {*PACKAGES, "local_runner.py"}
