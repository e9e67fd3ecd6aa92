"""The evaluation loss through TFMA's own computations."""

import numpy as np
import pytest

from tests.support.computations import eval_config, metric, predictions, run


def _loss(training_negatives):
    settings = {"protocol": "sampled", "training_negatives": training_negatives}
    return eval_config(metric("evaluation_loss", "EvaluationLoss", name="loss", **settings))


def test_a_row_of_no_target_that_the_model_knows_has_no_evaluation_loss():
    config = _loss(1)
    rows = [
        predictions(user, sampled_positive_loss=positive, sampled_negative_loss=99.0)
        for user, positive in ((0, 3.0), (1, -1.0))
    ]
    (found,) = run(config, rows).values()
    # 99 negatives of 1 each beside a target of 3.
    assert float(found) == pytest.approx((3 + 1) / 2)


@pytest.mark.parametrize(("negatives", "trained"), [(99, 4), (999, 4), (99, 1)])
def test_the_evaluation_loss_is_the_model_gardens(negatives, trained):
    generator = np.random.default_rng(negatives)
    users = 30
    logits = generator.normal(size=(users, 1 + negatives)).astype(np.float32)
    weight = np.ones(users)
    weight[:3] = 0
    softplus = np.logaddexp(0, logits)
    rows = [
        predictions(
            user,
            sampled_greater=0,
            sampled_candidates=1 + negatives,
            sampled_weight=weight[user],
            sampled_positive_loss=float(np.logaddexp(0, -logits[user, -1])),
            sampled_negative_loss=float(softplus[user, :-1].sum()),
        )
        for user in range(users)
    ]
    config = _loss(trained)
    (found,) = run(config, rows).values()
    # Softmax cross entropy over [0, logit] of every point, each with its weight;
    # the mean is over points of a weight other than 0.
    labels = np.zeros_like(logits)
    labels[:, -1] = 1
    of_class = np.stack([np.zeros_like(logits), logits], axis=-1)
    log_probability = of_class - np.logaddexp(of_class[..., :1], of_class[..., 1:])
    entropy = -np.where(labels == 1, log_probability[..., 1], log_probability[..., 0])
    weights = (labels + (1 - labels) * trained / negatives) * (1 + negatives) / (1 + trained)
    weights *= weight[:, np.newaxis]
    expected = (weights * entropy).sum() / np.count_nonzero(weights)
    assert float(found) == pytest.approx(expected, rel=1e-5)
