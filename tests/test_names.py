"""Names of features, keys and files are written once, and classes have the field's names."""

import ast
import re

import pytest

from tests.support.sources import ROOT, every_source, relative


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
        f"{relative(path)}:{key.lineno} {key.value!r}"
        for path in every_source()
        if relative(path) != "schema/features.py"
        for key in _keys(ast.parse(path.read_text(encoding="utf-8")))
        if key.value in names
    ]
    assert not wrong


def _strings(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]


def test_keys_and_files_of_artifacts_are_written_once():
    homes = ("schema/keys.py", "trainer/config/keys.py")
    # Plain words stand for other things too.
    names = {
        name
        for home in homes
        for name in _strings(home)
        if isinstance(name, str) and re.fullmatch(r"[a-z]+[._][a-z_.]+", name)
    }
    assert {"source_digest", "saved_model.pb", "training.json", "user_oov_buckets"} <= names
    # The journal of a search, and a parameter of the metrics.
    others = {"trainer/tuning/trials.py", "components/evaluator/eval_config.py"}
    wrong = [
        f"{name}: {value!r}"
        for path in every_source()
        if (name := relative(path)) not in {*homes, *others}
        for value in _strings(name)
        if value in names
    ]
    assert not wrong


# Names with private meanings that the field's terms have taken the place of.
FORMER_NAMES = {
    "": "Judge Scored Counts Histories Draw Setting Stage Watch Fitter Monitor States Workplace "
    "trainable target_places brings fitters settled agreed likeness rate rates exchanges pairwise "
    "codes encode_users encode_items answered logged diverted held",
    "components/example_gen": "arrange assign cells cuts mark runs Side",
    "components/evaluator": "Items Rows choose",
    "components/metrics": "of places",
    "trainer": "choose Part Task",
}


@pytest.mark.parametrize("package", FORMER_NAMES)
def test_names_are_those_of_the_field(package):
    former = set(FORMER_NAMES[package].split())
    found = {
        f"{relative(path)}: {node.name}"
        for path in every_source()
        if relative(path).startswith(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in former
    }
    assert not found
