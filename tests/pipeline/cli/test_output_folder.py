"""The default output folder: unlike runs do not meet in one."""

import pytest

from pipeline.cli.output_folder import Workspace, default_output
from pipeline.config import presets
from pipeline.config.run import override


@pytest.mark.parametrize(
    ("preset", "assignments", "output"),
    [
        ("ml-100k-neumf", [], "output/ml-100k-neumf"),
        ("ml-100k-neumf", ["trainer.epochs=3"], "output/ml-100k-neumf"),
        ("ml-1m-two-tower", ["data.path=/raw/ml-1m"], "output/ml-1m-two-tower"),
        ("ml-100k-neumf", ["data.path=/my/films"], "output/films-neumf-ml-100k-neumf"),
        ("ml-1m-neumf", ["data.path=/my/films"], "output/films-neumf-ml-1m-neumf"),
        (
            "ml-100k-neumf",
            ["trainer.model=two_tower"],
            "output/ml-100k-two-tower-ml-100k-neumf",
        ),
        (
            "ml-100k-neumf",
            ["data.path='synthetic:users=2000,items=500,interactions=60000'"],
            "output/synthetic-2000-500-60000-fff27a63-neumf-ml-100k-neumf",
        ),
    ],
)
def test_the_default_names_data_model_and_preset(preset, assignments, output):
    base = presets.get(preset)
    assert default_output(preset, base, override(base, assignments)) == output


def test_models_may_be_pushed_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Workspace.at("run", None, "films").serving == str(tmp_path / "films")
    assert Workspace.at("run", None, "gs://films/x").serving == "gs://films/x"
    assert Workspace.at("run", None, "films").artifacts == str(tmp_path / "run" / "artifacts")
