"""What docs/security.md says of the locked versions holds."""

import importlib.metadata
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def _locked():
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    return set(re.findall(r'^name = "([^"]+)"\nversion = "([^"]+)"', text, re.MULTILINE))


def test_the_table_names_versions_of_the_lock_file():
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = {
        (name, version)
        for name, versions in re.findall(r"`([a-z0-9-]+)` (\d[\w.]*(?:, \d[\w.]*)*)", text)
        for version in versions.split(", ")
    }
    assert {("pyarrow", "10.0.1"), ("urllib3", "1.26.20"), ("dill", "0.4.1")} <= named
    assert named <= _locked()


@pytest.mark.seconds
def test_beam_brings_the_remedy_for_what_old_versions_of_arrow_are_known_for():
    if tuple(map(int, importlib.metadata.version("pyarrow").split(".")[:3])) >= (14, 0, 1):
        pytest.skip("mended in Arrow itself")
    code = "import sys, apache_beam; assert 'pyarrow_hotfix' in sys.modules"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_data_are_read_as_text_or_parquet_only():
    """Of Arrow's readers those of text and Parquet, and no pickles, in what reads data."""
    readers = re.compile(
        r"pickle|\bipc\b|feather|parquet\.read|read_table|ParquetFile|np\.load\(|allow_pickle"
    )
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("components", "pipeline/datasets", "transform")
        for path in (ROOT / folder).rglob("*.py")
        if readers.search(path.read_text(encoding="utf-8"))
    }
    assert found == {
        # What Beam's workers hand to each other, all of it our own.
        "components/example_gen/io/tables.py",
        # Where the remedy against code in types is applied.
        "components/formats/reading/parquet.py",
        # Its words only.
        "components/formats/table.py",
    }
