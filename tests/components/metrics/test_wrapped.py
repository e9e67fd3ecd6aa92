"""What an EvaluationModel gives for rows with several targets, through the metrics."""

import numpy as np
import pytest
import tensorflow as tf

from components.evaluator.ranking.wrap import wrap_for_evaluation
from components.metrics.coverage import ListCoverage
from components.metrics.gather import Packed, pack
from components.metrics.hr import RankHitRate
from components.metrics.map import RankMAP
from components.metrics.mrr import RankMRR
from components.metrics.ndcg import RankNDCG
from tests.support import ranked
from tests.support.computations import tables
from tests.support.toy_model import make_serving, row
from trainer.config.evaluation import EvaluationConfig
from trainer.serving.export import export

USERS, ITEMS = 24, 9
GENERATOR = np.random.default_rng(11)
SCORES = GENERATOR.integers(0, 3, (USERS, ITEMS)).astype(float)
TARGETS = [GENERATOR.permutation(ITEMS - 1)[: number % 3 + 1] for number in range(USERS)]
# The last item is everyone's history.
SEEN = ITEMS - 1

pytestmark = pytest.mark.seconds


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrapped")
    counts = np.arange(ITEMS, 0, -1)
    serving = make_serving(SCORES, np.eye(ITEMS), counts, [[SEEN]] * USERS)
    export(serving, str(folder / "model"))
    wrapped = wrap_for_evaluation(str(folder / "model"), EvaluationConfig())
    examples = [
        row(f"u{user}", [f"i{SEEN}"], [f"i{target}" for target in targets])
        for user, targets in enumerate(TARGETS)
    ]
    # The second batch has one target a row, so its outputs have another width.
    batches = [[e for n, e in enumerate(examples) if n % 3], examples[::3]]
    packed = Packed()
    for batch in batches:
        outputs = wrapped.rank(tf.constant(batch))
        packed.append(pack({"": {name: values.numpy() for name, values in outputs.items()}}))
    return tables(packed)[""]


@pytest.mark.parametrize(
    ("name", "metric"),
    [("hr", RankHitRate), ("ndcg", RankNDCG), ("mrr", RankMRR), ("map", RankMAP)],
)
@pytest.mark.parametrize("subject", ["model", "popularity"])
def test_figures_are_the_mean_over_all_orders_of_equal_scores(table, name, metric, subject):
    metric = metric(name=name, protocol="full", k=2, subject=subject)
    popularity = np.arange(ITEMS, 0, -1).astype(float)
    expected = []
    for scores, targets in zip(SCORES, TARGETS, strict=True):
        scores = (scores if subject == "model" else popularity)[:SEEN]
        orders = ranked.orders(scores.tolist())
        expected.append(np.mean([ranked.of_order(name, o, targets.tolist(), 2) for o in orders]))
    assert metric.mean(metric.rows(table)) == pytest.approx(np.mean(expected))


def test_coverage_leaves_out_what_was_seen(table):
    metric = ListCoverage(name="coverage", k=ITEMS)
    assert metric.mean(metric.rows(table)) == pytest.approx(SEEN / ITEMS)
