"""The average of the weights: its formula, what has it, and that a killed training keeps it."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import planted
from trainer.config.optimizer import OptimizerConfig
from trainer.training.loops.gradient import GradientLoop
from trainer.training.train import train
from trainer.training.weight_average import WeightAverage

CONFIG = planted.CONFIGS["mf"].replace(
    epochs=3, jit_compile=False, optimizer=OptimizerConfig(average_decay=0.9)
)


def test_the_average_follows_the_formula_from_the_weights_it_starts_with():
    weight = tf.Variable([1.0, 5.0])
    average = WeightAverage([weight], 0.3)
    weight.assign([2.0, 4.0])
    average.start()
    expected = np.asarray([2.0, 4.0])
    for step, decay in enumerate((2 / 11, 3 / 12, 0.3, 0.3), start=1):
        weight.assign([10.0 * step, -1.0])
        average.update(tf.constant(step, tf.int64))
        expected = decay * expected + (1 - decay) * np.asarray([10.0 * step, -1.0])
        np.testing.assert_allclose(average.averages[0], expected, rtol=1e-6)


@pytest.mark.seconds
def test_the_model_has_the_average_and_training_goes_on_with_the_weights():
    dataset = planted.make_dataset()
    kept = []
    original = GradientLoop._take_weights

    def take(self):
        original(self)
        kept.append([weight.numpy() for weight in self._trained.trainable_variables])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GradientLoop, "_take_weights", take)
        averaged = train(CONFIG, planted.EVALUATION, dataset, None).model
        plain = train(
            CONFIG.replace(optimizer=OptimizerConfig()), planted.EVALUATION, dataset, None
        ).model
    # The best epoch of either may be another, so the last ones are compared.
    for one, other in zip(kept[2], kept[5], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    differences = [
        np.abs(one - other).max()
        for one, other in zip(averaged.get_weights(), plain.get_weights(), strict=True)
    ]
    assert max(differences) > 1e-3
