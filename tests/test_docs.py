"""What the pages of words name is there: files, modules, keys, targets, other pages."""

import ast
import pathlib
import re

import pytest

from pipeline.config import presets
from schema import settings

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("schema", "transform", "trainer", "components", "pipeline")
FOLDERS = (*PACKAGES, "tests", "benchmarks", "docs")
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

pytestmark = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def _names_what_is_there(path):
    # NAME stands for whatever the reader calls it.
    return "NAME" in path or (ROOT / path).exists()


def test_files_and_folders(page):
    text = page.read_text(encoding="utf-8")
    paths = re.findall(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*", text)
    paths += re.findall(r"(?<![\w./-])\w+_runner\.py", text)
    assert not [path for path in paths if not _names_what_is_there(path.rstrip("."))]


def test_links(page):
    links = re.findall(r"\]\(([\w./-]+)(?:#[\w-]*)?\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def _is_module(name):
    """Whether a dotted name is a module, or one and what it defines."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if path.is_dir():
            return length == len(parts) and length > 1
        if path.with_suffix(".py").is_file():
            tree = ast.parse(path.with_suffix(".py").read_text(encoding="utf-8"))
            defined = {getattr(node, "name", getattr(node, "id", None)) for node in ast.walk(tree)}
            return defined >= set(parts[length:])
    return False


def _is_key(name):
    """Whether a dotted name is a key of the configuration; sections may be left out (null)."""
    values = settings.to_dict(presets.get(presets.DEFAULT))
    for part in name.split("."):
        if values is None:
            return True
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def test_modules_and_keys(page):
    text = page.read_text(encoding="utf-8")
    names = re.findall(rf"(?<![\w./-])(?:{'|'.join(PACKAGES)})(?:\.[a-z]\w*)+", text)
    files = (".json", ".yaml", ".py")
    wrong = [
        name
        for name in names
        if not name.endswith(files) and not _is_module(name) and not _is_key(name)
    ]
    assert not wrong


def test_make_targets(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`|; )make ([a-z]+)", text, re.MULTILINE)
    assert set(named) <= targets
