"""What validation measures while a model trains is what the Evaluator measures of it."""

import numpy as np
import pytest
import tensorflow as tf

from components.evaluator.ranking.wrap import wrap_for_evaluation
from components.metrics.gather import pack
from components.metrics.hr import RankHitRate
from components.metrics.ndcg import RankNDCG
from tests.support import planted
from tests.support.computations import tables
from tests.support.toy_model import DotProduct, make_catalog, make_serving, row
from trainer.config.evaluation import EvaluationConfig, ProtocolConfig
from trainer.data.interactions import ABSENT
from trainer.serving.export import export
from trainer.training.rank_validation import RankValidator

pytestmark = pytest.mark.seconds

USERS, ITEMS, K = 30, 40, 4
GENERATOR = np.random.default_rng(5)
SCORES = GENERATOR.integers(0, 6, (USERS, ITEMS)).astype(float)
COUNTS = GENERATOR.integers(0, 30, ITEMS)
ORDERS = [GENERATOR.permutation(ITEMS) for _ in range(USERS)]
HISTORIES = [order[: 3 + user].tolist() for user, order in enumerate(ORDERS)]
TARGETS = [order[3 + user : 4 + user + user % 4].tolist() for user, order in enumerate(ORDERS)]
# One user knows all but the targets, one holds out what the catalog lacks.
HISTORIES[7] = [item for item in range(ITEMS) if item not in TARGETS[7]]
TARGETS[9].append(ABSENT)


def sampled(**settings):
    return ProtocolConfig(candidates="sampled", **{"negatives": 10, **settings})


PROTOCOLS = {
    "full": ProtocolConfig(),
    "unmasked": ProtocolConfig(mask_seen=False),
    "uniform": sampled(),
    "many": sampled(negatives=2 * ITEMS),
    "popular": sampled(draw="popularity"),
    "history": sampled(exclude="history"),
    "repeated": sampled(replacement=True),
    "popular_repeated": sampled(draw="popularity", replacement=True),
    "mlperf": sampled(replacement=True, exclude="history", mlperf=True, negatives=2),
    "everything": sampled(
        draw="popularity", replacement=True, exclude="history", mlperf=True, negatives=30
    ),
}
EVALUATION = EvaluationConfig(k=K, protocols=PROTOCOLS)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The Evaluator's ranks of all rows."""
    folder = tmp_path_factory.mktemp("models")
    serving = make_serving(SCORES, np.eye(ITEMS), COUNTS, HISTORIES)
    export(serving, str(folder / "model"))
    wrapped = wrap_for_evaluation(str(folder / "model"), EVALUATION)
    rows = [
        row(f"u{user}", [f"i{item}" for item in history], [f"i{item}" for item in targets])
        for user, (history, targets) in enumerate(zip(HISTORIES, TARGETS, strict=True))
    ]
    outputs = wrapped.rank(tf.constant(rows))
    packed = pack({"": {name: values.numpy() for name, values in outputs.items()}})
    return tables(packed)[""]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_validation_and_evaluator_agree_under_every_protocol(table, protocol):
    histories = planted.make_histories(HISTORIES, TARGETS)
    catalog = make_catalog(COUNTS)
    model = DotProduct(catalog, SCORES, np.eye(ITEMS))
    measured = RankValidator(model, histories, catalog, EVALUATION, protocol)()
    for name, kind in (("hr", RankHitRate), ("ndcg", RankNDCG)):
        metric = kind(name=name, protocol=protocol, k=K)
        assert measured[name] == pytest.approx(metric.mean(metric.rows(table)), abs=1e-6)
    assert 0 < measured["ndcg"] < 1
