"""`movielens-evaluate` on raw files and on Examples, against positions known beforehand."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import tensorflow as tf

from pipeline.cli import evaluate
from schema.errors import UserError
from tests.support.toy_model import make_serving, row
from trainer.serving.export import export

ROOT = pathlib.Path(__file__).resolve().parents[3]
USERS, ITEMS, SEEN = 12, 30, (27, 28, 29)
# User u holds out item u, which the model puts at position u % 3 of what is unseen.
POSITIONS = np.arange(USERS) % 3
GAINS = 1 / np.log2(POSITIONS + 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    codes = np.tile(-np.arange(ITEMS, dtype=float), (USERS, 1))
    for user, position in enumerate(POSITIONS):
        rest = [item for item in range(ITEMS) if item != user]
        codes[user, rest] = -np.arange(ITEMS - 1)
        codes[user, user] = 0.5 - position
    folder = tmp_path_factory.mktemp("model")
    serving = make_serving(codes, np.eye(ITEMS), np.arange(ITEMS, 0, -1), [list(SEEN)] * USERS)
    export(serving, str(folder / "Format-Serving"))
    return folder


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    lines = ["userId,movieId,rating,timestamp"]
    for user in range(USERS):
        items = [*SEEN, user]
        lines += [f"u{user},i{item},4,{100 + time}" for time, item in enumerate(items)]
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    (folder / "Split-test").mkdir()
    with tf.io.TFRecordWriter(str(folder / "Split-test" / "data.gz"), "GZIP") as writer:
        for user in range(USERS):
            writer.write(row(f"u{user}", [f"i{item}" for item in SEEN], f"i{user}"))
    return folder


def run(cwd, *arguments):
    command = [sys.executable, "-m", "pipeline.cli.evaluate", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # The command is not to depend on what a runner sets.
    environment.pop("TF_USE_LEGACY_KERAS", None)
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


@pytest.mark.slow
def test_raw_files_to_table_metrics_and_ranks(model, raw, tmp_path):
    ranks = ("--ranks", "ranks.csv", "--quote-formulas")
    result = run(tmp_path, model, "--data", raw, "--output", "out", *ranks)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    overall = written["metrics"][0]
    assert (overall["feature"], overall["count"]) == ("", USERS)
    assert overall["metrics"]["ndcg@10_full"]["value"] == pytest.approx(GAINS.mean())
    assert f"{GAINS.mean():.3f}" in result.stdout
    assert written["run"]["format"] == "ml-csv"
    assert written["run"]["counts"]["users"] == USERS
    # Every user holds out an item of his own.
    known = {"users": USERS, "known_users": USERS, "items": USERS, "known_items": USERS}
    assert written["run"]["known"] == known
    assert "the model knows 12 of 12 users and 12 of 12 held-out items" in result.stdout
    assert written["evaluation"]["k"] == 10
    ranks = pyarrow.csv.read_csv(tmp_path / "ranks.csv").to_pylist()
    found = {rank["user_id"]: rank for rank in ranks}
    assert len(ranks) == len(found) == USERS
    for user, position in enumerate(POSITIONS):
        rank = found[f"u{user}"]
        assert rank["target_item_id"] == f"i{user}"
        assert (rank["full_greater"], rank["full_ties"]) == (position, 0)
        assert rank["popularity_full_greater"] == user
    # Nothing else is left behind.
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".lock", "logs", "metrics.json"}


@pytest.mark.slow
def test_examples_under_another_protocol(model, examples, tmp_path):
    protocol = "evaluation.protocols={few: {candidates: sampled, negatives: 5}}"
    settings = [f"--set={setting}" for setting in (protocol, "evaluation.k=1")]
    paths = ["--output", tmp_path / "out", "--ranks", tmp_path / "ranks.parquet"]
    result = run(tmp_path, model / "Format-Serving", "--examples", examples, *paths, *settings)
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    ranks = pyarrow.parquet.read_table(tmp_path / "ranks.parquet").to_pylist()
    greater = np.asarray([rank["few_greater"] for rank in ranks])
    assert (greater <= np.minimum(POSITIONS, 5)).all()
    assert {rank["few_candidates"] for rank in ranks} == {6}
    hits = written["metrics"][0]["metrics"]["hr@1_few"]["value"]
    assert hits == pytest.approx((greater == 0).mean())


def mistake(capsys, monkeypatch, cwd, *arguments):
    monkeypatch.chdir(cwd)
    monkeypatch.setattr(sys, "argv", ["movielens-evaluate"])
    code = evaluate.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


@pytest.mark.seconds
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: MODEL; --help lists the arguments."),
        (["nowhere"], "MODEL: expected a folder with saved_model.pb, a Model artifact or a served"),
        (["MODEL", "--data", "nowhere"], "data.path: expected a folder with raw files, or"),
        (["MODEL", "--data", "a", "--examples", "b"], "--examples: expected either this or --data"),
        (["MODEL", "--ranks", "nowhere/r.csv"], "--ranks: expected a file in a folder that can be"),
        (["MODEL", "--ranks", "ranks.xls"], "--ranks: expected a file ending in .csv or .parquet"),
        (
            ["MODEL", "--ranks", "r.parquet", "--quote-formulas"],
            "--quote-formulas: expected with --ranks FILE.csv only, got --ranks r.parquet.",
        ),
        (["MODEL", "--min-known", "2"], "--min-known: expected a share in [0, 1], got 2.0."),
        (["MODEL", "--examples", "none"], "expected a folder with held-out rows, found no"),
        (["MODEL", "--set", "evaluation.kk=1"], "Unknown key 'evaluation.kk'; did you mean"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, message, model, capsys, monkeypatch, tmp_path):
    given = [str(model) if argument == "MODEL" else argument for argument in arguments]
    assert message in mistake(capsys, monkeypatch, tmp_path, *given)


@pytest.mark.seconds
def test_the_newest_served_version_is_taken(model, tmp_path):
    for version in ("9", "10"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "saved_model.pb").touch()
    assert evaluate._saved_model(str(tmp_path)) == str(tmp_path / "10")
    assert evaluate._saved_model(str(model)) == str(model / "Format-Serving")


def held_out(folder, users, items):
    """The files of an Examples artifact's held-out rows."""
    path = folder / "Split-test" / "data"
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for user, item in zip(users, items, strict=True):
            writer.write(row(user, ["i29"], item))
    return [str(path)]


@pytest.mark.parametrize(
    ("users", "items", "told"),
    [
        (["a", "b"], ["i0", "i1"], "0 of 2 users and 2 of 2 held-out items"),
        (["u0", "u1", "u1"], ["x", "y", "y"], "2 of 2 users and 0 of 2 held-out items"),
    ],
)
@pytest.mark.seconds
def test_data_that_the_model_does_not_know_are_refused_unless_asked(
    users, items, told, model, tmp_path
):
    files = held_out(tmp_path, users, items)
    folder = str(model / "Format-Serving")
    with pytest.raises(UserError, match=f"knows {told}; --min-known 0 evaluates it") as error:
        evaluate._known(folder, files, 0.1)
    assert "\n" not in str(error.value)
    assert str(evaluate._known(folder, files, 0.0)) == told


@pytest.mark.seconds
def test_a_model_that_knows_enough_is_evaluated(model, tmp_path):
    files = held_out(tmp_path, ["u0", "new"], ["i3", "i3"])
    known = evaluate._known(str(model / "Format-Serving"), files, 0.5)
    assert (known.users, known.known_users, known.items, known.known_items) == (2, 1, 1, 1)


@pytest.mark.seconds
def test_a_model_without_the_signatures_is_a_mistake(examples, tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "foreign"))
    result = run(tmp_path, "foreign", "--examples", examples, "--output", "out")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: foreign: ")
    assert "signature" in line
    assert not (tmp_path / "out" / "metrics.json").exists()
