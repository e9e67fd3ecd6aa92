"""The rules that keep the packages apart, read from the sources."""

import ast
import collections
import re
import subprocess
import sys

import pytest

from tests.support.sources import PACKAGES, ROOT, every_source, imports, relative, sources

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
# What else a folder, and all below it, may import: the components that run the
# trainer's code may import it, those that rank only what ranks.
_EXTRA = {
    "components/trainer": ("trainer",),
    "components/tuner": ("trainer",),
    "components/evaluator": ("trainer.config.evaluation", "trainer.ops"),
    "components/metrics": ("trainer.ops",),
}


def _extra(path):
    """What a file may import beside what its package may."""
    folders = (folder for folder in _EXTRA if relative(path).startswith(f"{folder}/"))
    return tuple(name for folder in folders for name in _EXTRA[folder])


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_lies_below_them(package):
    wrong = [
        f"{relative(path)} imports {name}"
        for path in sources(package)
        for name in imports(path)
        if (top := name.partition(".")[0]) in ALLOWED
        and top not in ALLOWED[package]
        and not name.startswith(_extra(path))
    ]
    assert not wrong


def test_the_pipeline_knows_only_the_settings_of_the_trainer():
    wrong = [
        f"{relative(path)} imports {name}"
        for path in sources("pipeline")
        for name in imports(path)
        if name.partition(".")[0] == "trainer" and not re.match(r"trainer\.config\b", name)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("room", "others"),
    [
        # The outputs of `rank`, which metrics read.
        ("evaluator/ranking", ("evaluator.keys", "metrics.rank_outputs")),
        # Of the ranking, the facts of a model.
        ("evaluator/gate", ("evaluator.keys", "evaluator.metric_names", "evaluator.ranking.wrap")),
        # The layouts read with it.
        ("formats/reading", ()),
    ],
)
def test_inner_rooms_of_components_import_nothing_of_the_others(room, others):
    own = tuple(f"components.{name}" for name in (room.replace("/", "."), *others))
    modules = sources(f"components/{room}")
    assert modules
    wrong = [
        f"{relative(path)} imports {name}"
        for path in modules
        for name in imports(path)
        if name.startswith("components.") and not name.startswith(own)
    ]
    assert not wrong


def test_only_the_component_knows_its_executor():
    wrong = [
        f"{relative(path)} imports {name}"
        for path in every_source()
        for name in imports(path)
        if name.startswith("components.evaluator.executor")
        and relative(path) != "components/evaluator/component.py"
    ]
    assert not wrong


def test_the_gates_rules_load_no_tensorflow():
    names = ("gate.rules", "gate.config", "gate.results", "gate.baseline")
    modules = ", ".join(f"components.evaluator.{name}" for name in (*names, "keys", "metric_names"))
    heavy = "{'tensorflow', 'tfx', 'apache_beam', 'tensorflow_model_analysis'}"
    code = f"import sys, {modules}; assert not {heavy} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_schema_needs_no_heavy_library():
    # yaml reads the values of --set; annotated_types holds pydantic's bounds; atomic_write
    # loads a file system when it writes to it, conditional_file Google's client.
    allowed = {"schema", "yaml", "pydantic", "annotated_types", "tfx", "google"}
    wrong = {
        f"{relative(path)} imports {name}"
        for path in sources("schema")
        for name in imports(path)
        if name.partition(".")[0] not in allowed | {"__future__", *sys.stdlib_module_names}
        or (name.startswith("tfx.") and not name.startswith("tfx.dsl.io"))
    }
    assert not wrong


@pytest.mark.parametrize(
    "module",
    [
        *(
            f"schema/{name}.py"
            for name in ("features", "settings", "mistakes", "errors", "curated", "atomic_write")
        ),
        *("schema/plain_text.py", "schema/yaml_text.py"),
        *("components/example_gen/config.py", "components/evaluator/gate/config.py"),
        "components/columns.py",
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
        relative(path)
        for path in every_source()
        if path.stem not in RUNNERS
        and re.search(r"\bos\.(environ|getenv|putenv)\b", path.read_text(encoding="utf-8"))
    ]
    assert not wrong


def test_tfx_is_not_imported_through_its_slow_front_door():
    wrong = [
        f"{relative(path)} imports {name}"
        for path in every_source()
        for name in imports(path)
        if name == "tfx.v1" or name.startswith("tfx.v1.")
    ]
    assert not wrong


def test_modules_with_component_functions_keep_their_annotations():
    wrong = [
        relative(path)
        for path in every_source()
        if re.search(r"^@component\b", text := path.read_text(encoding="utf-8"), re.MULTILINE)
        and "from __future__ import annotations" in text
    ]
    assert not wrong


def test_modules_stay_readable():
    wrong = [
        f"{relative(path)}: {lines} lines"
        for path in every_source()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    ]
    assert not wrong


@pytest.mark.seconds
def test_reading_a_run_loads_no_model():
    code = "import sys, pipeline.reports.summary; assert 'trainer.models' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# The rooms of each package, lowest first: a room imports what stands before it, and itself.
ROOMS = {
    "trainer": (
        "config",
        "ops",
        "data",
        "models",
        "serving",
        "distribution",
        "training",
        "tuning",
        "run_fn",
    ),
    "components": (
        "splitmix64",
        "columns",
        "formats",
        "example_gen",
        "schema_gen",
        "validator",
        "trainer",
        "tuner",
        "metrics",
        "evaluator",
        "resolver",
        "served_folder",
        "pusher",
    ),
    "pipeline": (
        "uris",
        "file_list",
        "source_digest",
        "node_ids",
        "datasets",
        "config",
        "backend",
        "pipeline",
        "runners",
        "metadata",
        "reports",
        "cli",
    ),
}


def _room(path):
    """Package and room of a module; the room is a folder's or the module's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0], parts[1]


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_only_what_lies_below_them(package):
    rooms = ROOMS[package]
    modules = [path for path in sources(package) if path != ROOT / package / "__init__.py"]
    assert {_room(path)[1] for path in modules} == set(rooms)
    wrong = {
        f"{relative(path)} imports {name}"
        for path in modules
        for name in imports(path)
        if name.startswith(f"{package}.")
        and (room := name.split(".")[1]) in rooms
        and rooms.index(room) > rooms.index(_room(path)[1])
    }
    assert not wrong


def test_folders_stay_small():
    # These hold one member of a kind a file.
    most = dict.fromkeys(("components/metrics", "trainer/models"), 25)
    modules = [path for path in every_source() if path.name != "__init__.py"]
    folders = collections.Counter(relative(path.parent) for path in modules)
    wrong = {folder: n for folder, n in folders.items() if n > most.get(folder, 15)}
    assert not wrong
