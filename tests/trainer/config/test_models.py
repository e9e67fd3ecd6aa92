"""What is written by hand of the models agrees with their rows."""

import pathlib
import re

import pytest

import local_runner
from trainer.config.models import MODELS

ROOT = pathlib.Path(__file__).resolve().parents[3]


def named(text):
    return re.findall(r"`(\w+)`", text)


def test_the_readme_lists_every_model_once():
    section = (ROOT / "README.md").read_text().partition("## Models")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert sorted(name for cell in cells for name in named(cell)) == sorted(MODELS)


def test_the_help_names_every_model(capsys):
    with pytest.raises(SystemExit):
        local_runner.main(["--help"])
    words = set(re.findall(r"\w+", capsys.readouterr().out))
    assert set(MODELS) <= words


def test_the_documentation_names_the_models_that_are_solved_for():
    text = (ROOT / "docs/strategies.md").read_text()
    (listed,) = re.findall(r"models that are solved for \(([^)]*)\)", text)
    assert set(named(listed)) == {name for name, spec in MODELS.items() if spec.solved}


def test_the_documentation_names_the_models_that_start_from_nothing():
    text = (ROOT / "docs/warm-start.md").read_text()
    (listed,) = re.findall(r"too; ([^;]*), which are computed from the data at once", text)
    assert set(named(listed)) == {name for name, spec in MODELS.items() if not spec.warm_start}
