"""One training: best epoch, patience, refit, files, errors."""

import json

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import UserError
from tests.support import planted
from trainer.config.evaluation import EvaluationConfig, ProtocolConfig
from trainer.data.batches import user_tensors
from trainer.ops import draws
from trainer.training import stage
from trainer.training.rank_validation import RankValidator
from trainer.training.train import train
from trainer.training.validation import is_better

CONFIG = planted.CONFIGS["neumf"].replace(epochs=3, jit_compile=False)

pytestmark = pytest.mark.seconds


@pytest.fixture(scope="module")
def dataset():
    return planted.make_dataset()


def sampled_metrics(model, dataset):
    """HR@5 and NDCG@5 on the negatives that the validation draws, in NumPy."""
    valid = dataset.valid
    known = valid.with_targets()
    allowed = np.ones((len(valid.user_index), dataset.catalog.size), bool)
    allowed[known.rows, known.positions] = False
    negatives = draws.draw(
        draws.fingerprint(tf.constant(valid.user_id.tolist())),
        draws.fingerprint(tf.constant(dataset.catalog.item_ids.tolist())),
        tf.constant(allowed),
        count=planted.EVALUATION.protocols["sampled"].negatives,
        seed=planted.EVALUATION.seed,
    ).numpy()
    users = model.user_embedding(
        user_tensors(tf.constant(valid.user_index), tf.constant(valid.context))
    )
    scores = model.score_all(users, model.item_embedding(tf.range(dataset.catalog.size))).numpy()
    own = np.take_along_axis(scores, valid.targets[:, None], axis=1)
    place = (np.take_along_axis(scores, negatives, axis=1) > own).sum(axis=1)
    gain = np.where(place < 5, 1 / np.log2(place + 2), 0)
    return (place < 5).mean(), gain.mean()


def test_the_exported_weights_are_those_of_the_best_epoch(dataset, tmp_path):
    # A learning rate this high makes later epochs worse than earlier ones.
    config = CONFIG.replace(epochs=6, learning_rate=0.1)
    trained = train(config, planted.EVALUATION, dataset, str(tmp_path))
    history = [epoch["valid_ndcg"] for epoch in trained.report["history"]]
    best = trained.report["best_epoch"]
    assert best == 1 + int(np.argmax(history))
    hr, ndcg = sampled_metrics(trained.model, dataset)
    assert trained.report["best_validation"]["ndcg"] == pytest.approx(ndcg, abs=1e-5)
    assert trained.report["best_validation"]["hr"] == pytest.approx(hr, abs=1e-5)


def test_patience_stops_and_zero_never_does(dataset, tmp_path):
    config = CONFIG.replace(epochs=8, learning_rate=1e-9)
    impatient = config.replace(patience=2)
    stopped = train(impatient, planted.EVALUATION, dataset, str(tmp_path / "a")).report
    assert stopped["epochs"] == stopped["best_epoch"] + 2 < 8
    assert train(config, planted.EVALUATION, dataset, str(tmp_path / "b")).report["epochs"] == 8


@pytest.mark.parametrize("mask_seen", [True, False])
def test_full_protocol_ranks_among_all_items_that_it_does_not_mask(dataset, tmp_path, mask_seen):
    config = CONFIG.replace(validation_protocol="full", epochs=2)
    protocols = {"full": ProtocolConfig(mask_seen=mask_seen)}
    evaluation = EvaluationConfig(k=5, protocols=protocols)
    trained = train(config, evaluation, dataset, str(tmp_path))
    valid = dataset.valid
    users = trained.model.user_embedding(
        user_tensors(tf.constant(valid.user_index), tf.constant(valid.context))
    )
    items = trained.model.item_embedding(tf.range(dataset.catalog.size))
    scores = trained.model.score_all(users, items).numpy()
    hits = []
    for row, target in enumerate(valid.targets):
        seen = valid.positions[valid.splits[row] : valid.splits[row + 1]]
        others = np.setdiff1d(
            np.arange(dataset.catalog.size), [*(seen if mask_seen else []), target]
        )
        hits.append((scores[row, others] > scores[row, target]).sum() < 5)
    assert trained.report["best_validation"]["hr"] == pytest.approx(np.mean(hits), abs=1e-5)


def test_refit_trains_on_the_validation_targets_too(dataset, tmp_path, monkeypatch):
    sizes = []
    original = stage.TrainingData

    def recording(histories, *args, **options):
        sizes.append(len(histories.positions))
        return original(histories, *args, **options)

    monkeypatch.setattr(stage, "TrainingData", recording)
    config = CONFIG.replace(refit=True)
    report = train(config, planted.EVALUATION, dataset, str(tmp_path)).report
    users = len(dataset.train.user_index)
    assert sizes == [8 * users, 9 * users]
    assert report["refit_epochs"] == report["best_epoch"]


def test_logs_and_the_best_checkpoint_are_written(dataset, tmp_path):
    trained = train(CONFIG, planted.EVALUATION, dataset, str(tmp_path))
    report = trained.report
    json.dumps(report)
    assert report["examples"] == 3 * 5 * len(dataset.train.positions)
    events = list((tmp_path / "logs").glob("events.*"))
    tags = {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(events[0]))
        for value in event.summary.value
    }
    assert tags == {"loss", "examples_per_second", "valid_hr", "valid_ndcg"}
    best = tf.train.load_checkpoint(str(tmp_path / f"checkpoints/ckpt-{report['best_epoch']}"))
    stored = [best.get_tensor(name) for name in best.get_variable_to_shape_map() if "VALUE" in name]
    kept = [value for value in stored if value.dtype == np.float32]
    sums = [
        sorted(float(np.abs(v).sum()) for v in vs) for vs in (kept, trained.model.get_weights())
    ]
    assert sums[0] == pytest.approx(sums[1])


def test_a_diverging_loss_is_one_sentence(dataset, tmp_path):
    config = CONFIG.replace(learning_rate=1e30)
    with pytest.raises(
        UserError, match=r"training loss became (nan|inf) in epoch 1.*learning_rate"
    ):
        train(config, planted.EVALUATION, dataset, str(tmp_path))


def test_a_rating_model_keeps_the_epoch_of_the_lowest_error(dataset, tmp_path):
    # A learning rate this high makes later epochs worse than earlier ones.
    config = planted.CONFIGS["rating"].replace(epochs=6, learning_rate=0.2)
    trained = train(config, planted.EVALUATION, dataset, str(tmp_path))
    history = [epoch["valid_rmse"] for epoch in trained.report["history"]]
    assert np.ptp(history) > 0.01
    assert trained.report["best_epoch"] == 1 + int(np.argmin(history))
    valid, model = dataset.valid, trained.model
    users = model.user_embedding(
        user_tensors(tf.constant(valid.user_index), tf.constant(valid.context))
    )
    ratings = model.predict_ratings(users, model.item_embedding(tf.constant(valid.targets)))
    error = ratings - valid.target_ratings
    best = trained.report["best_validation"]
    assert best["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(error))), rel=1e-5)
    assert best["mae"] == pytest.approx(np.mean(np.abs(error)), rel=1e-5)


def test_better_is_lower_for_errors_and_higher_for_gains():
    low, high = {"rmse": 0.9, "ndcg": 0.1}, {"rmse": 1.0, "ndcg": 0.2}
    assert is_better(low, high, "rmse")
    assert is_better(high, low, "ndcg")
    for criterion in ("rmse", "ndcg"):
        assert not is_better(low, low, criterion)


def test_popularity_draws_of_the_validation_go_by_the_training_counts(dataset):
    protocols = {"hard": ProtocolConfig(candidates="sampled", negatives=20, draw="popularity")}
    evaluation = EvaluationConfig(k=5, protocols=protocols)
    config = planted.CONFIGS["popularity"].replace(validation_protocol="hard", refit=False)
    trained = train(config, evaluation, dataset, None)
    counts = dataset.train.counts(dataset.catalog.size)
    catalog = dataset.catalog.with_counts(counts)
    measure = RankValidator(trained.model, dataset.valid, catalog, evaluation, "hard")
    assert trained.report["best_validation"] == measure()
    protocols = {"easy": protocols["hard"].replace(draw="uniform")}
    uniform = EvaluationConfig(k=5, protocols=protocols)
    other = RankValidator(trained.model, dataset.valid, catalog, uniform, "easy")
    assert measure()["ndcg"] < other()["ndcg"]


def test_the_lines_name_the_refit_and_the_epoch_that_compiled(dataset, tmp_path, capsys):
    report = train(CONFIG.replace(refit=True), planted.EVALUATION, dataset, str(tmp_path)).report
    told = [line.strip() for line in capsys.readouterr().err.splitlines()]
    epochs = [line for line in told if line.startswith("epoch ")]
    assert [line.endswith("examples/s, compiling included") for line in epochs] == [1, 0, 0]
    assert f"neumf anew on train and valid, {report['best_epoch']} epochs" in told
    later = report["history"][1:]
    speed = sum(e["examples"] for e in later) / sum(e["seconds"] for e in later)
    assert report["steady_examples_per_second"] == pytest.approx(speed)
    assert speed > report["examples_per_second"]
