"""The rules that keep the packages apart, read from the sources."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
RUNNERS = ("kubeflow_runner", "local_runner")
# Which of our packages each package may import.
ALLOWED = {
    "schema": {"schema"},
    "transform": {"schema", "transform"},
    "trainer": {"schema", "trainer"},
    "components": {"schema", "components"},
    "pipeline": {"schema", "transform", "trainer", "components", "pipeline"},
    "kubeflow_runner": {"schema", "transform", "trainer", "components", "pipeline"},
    "local_runner": {"schema", "transform", "trainer", "components", "pipeline"},
}
# The components that run the trainer's code may import it.
_EXTRA = {
    "components/trainer": ("trainer",),
    "components/tuner": ("trainer",),
    "components/evaluator": ("components.evaluator.ranking.wrap", "trainer.config.evaluation"),
}


def _sources(package):
    folder = ROOT / package
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{package}.py"]


def _every_source():
    return [path for package in ALLOWED for path in _sources(package)]


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _relative(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_what_lies_below_them(package):
    wrong = [
        f"{_relative(path)} imports {name}"
        for path in _sources(package)
        for name in _imports(path)
        if (top := name.partition(".")[0]) in ALLOWED
        and top not in ALLOWED[package]
        and not name.startswith(_EXTRA.get(_relative(path).rpartition("/")[0], "-"))
    ]
    assert not wrong


def test_the_pipeline_knows_only_the_settings_of_the_trainer():
    wrong = [
        f"{_relative(path)} imports {name}"
        for path in _sources("pipeline")
        for name in _imports(path)
        if name.partition(".")[0] == "trainer" and not re.match(r"trainer\.config\b", name)
    ]
    assert not wrong


def test_schema_needs_the_standard_library_only():
    allowed = {"schema", "yaml"}  # yaml reads the values of --set
    standard = {"__future__", "collections", "dataclasses", "difflib", "hashlib", "importlib"}
    standard |= {"re", "types", "typing"}
    wrong = {
        f"{_relative(path)} imports {name}"
        for path in _sources("schema")
        for name in _imports(path)
        if name.partition(".")[0] not in allowed | standard
    }
    assert not wrong


@pytest.mark.parametrize(
    "module",
    [
        *(f"schema/{name}.py" for name in ("features", "settings", "errors", "curated")),
        *("components/example_gen/config.py", "components/evaluator/gate/config.py"),
        *("transform/config.py", "pipeline/datasets/synthetic_config.py"),
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "trainer/config").glob("*.py")),
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "pipeline/config").glob("*.py")),
    ],
)
def test_settings_load_without_the_heavy_libraries(module):
    heavy = {"tensorflow", "tfx", "apache_beam", "tensorflow_model_analysis", "pyarrow", "numpy"}
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    top_level = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for n in top_level if isinstance(n, ast.Import) for alias in n.names}
    names |= {str(n.module) for n in top_level if isinstance(n, ast.ImportFrom)}
    assert not {name for name in names if name.partition(".")[0] in heavy}


def test_only_runners_read_the_environment():
    wrong = [
        _relative(path)
        for path in _every_source()
        if path.stem not in RUNNERS
        and re.search(r"\bos\.(environ|getenv|putenv)\b", path.read_text(encoding="utf-8"))
    ]
    assert not wrong


def _raw_names():
    tree = ast.parse((ROOT / "schema/features.py").read_text(encoding="utf-8"))
    values = {
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    # Only names with an underscore: "age" or "train" are also plain words.
    return {value for value in values if "_" in value}


def _keys(tree):
    """Constants that serve as keys; attribute names and prose are no feature names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (key for key in node.keys if isinstance(key, ast.Constant))
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            yield node.slice


def test_feature_names_are_written_once():
    names = _raw_names()
    assert {"user_id", "target_item_id"} <= names
    wrong = [
        f"{_relative(path)}:{key.lineno} {key.value!r}"
        for path in _every_source()
        if _relative(path) != "schema/features.py"
        for key in _keys(ast.parse(path.read_text(encoding="utf-8")))
        if key.value in names
    ]
    assert not wrong


def test_tfx_is_not_imported_through_its_slow_front_door():
    wrong = [
        f"{_relative(path)} imports {name}"
        for path in _every_source()
        for name in _imports(path)
        if name == "tfx.v1" or name.startswith("tfx.v1.")
    ]
    assert not wrong


def test_modules_with_component_functions_keep_their_annotations():
    wrong = [
        _relative(path)
        for path in _every_source()
        if re.search(r"^@component\b", text := path.read_text(encoding="utf-8"), re.MULTILINE)
        and "from __future__ import annotations" in text
    ]
    assert not wrong


def test_modules_stay_readable():
    wrong = [
        f"{_relative(path)}: {lines} lines"
        for path in _every_source()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    ]
    assert not wrong


@pytest.mark.seconds
def test_reading_a_run_loads_no_model():
    code = "import sys, pipeline.reports.summary; assert 'trainer.models' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
