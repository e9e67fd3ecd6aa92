"""Training by gradients: whole runs of steps inside one graph call."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from trainer.config.trainer import TrainerConfig
from trainer.data.batches import TrainingData
from trainer.data.sequences import SequenceData
from trainer.distribution.strategy import DistributionContext
from trainer.models.base import Recommender
from trainer.training.loops.base import Epoch, TrainingLoop, check_loss
from trainer.training.optimizer import keeps_sparse, make_optimizer
from trainer.training.progress import Progress
from trainer.training.weight_average import WeightAverage

# Graph calls an epoch: often enough for a moving progress bar and an early
# word on a diverging loss, rarely enough to cost nothing.
CALLS_PER_EPOCH = 20


class GradientLoop(TrainingLoop):
    """Follow the gradients of Recommender.compute_loss.

    Under a strategy the steps train a twin of the model, whose variables lie
    where the strategy wants them. Between epochs the model itself, with plain
    variables, has the weights: what validates, saves or exports it need not
    know of strategies, and all replicas begin with the same weights. So it is where
    the model has the average of the twin's weights.

    Args:
      model: with the weights to start from.
      config: batch size, learning rate and the like.
      data: the positives, or whole histories.
      distribution: where the replicas run.
      twin: another model of the same kind, built in the strategy's scope; None
        under TensorFlow's default strategy, unless weights are averaged.

    Attributes:
      model: as given.
      optimizer: with its state.
      sparse: whether the gradients of tables stay sparse.
    """

    def __init__(
        self,
        model: Recommender,
        config: TrainerConfig,
        data: TrainingData | SequenceData,
        distribution: DistributionContext,
        twin: Recommender | None = None,
    ) -> None:
        super().__init__(model)
        self._config = config
        self._data = data
        self._strategy = distribution.strategy
        self._replicas = self._strategy.num_replicas_in_sync
        fitting = max(data.size // self._replicas, 1) * self._replicas
        self._batch_size = min(config.batch_size, fitting)
        self._epoch_steps = data.steps(self._batch_size)
        self._trained = twin or model
        with self._strategy.scope():
            self.optimizer = make_optimizer(config, self._epoch_steps)
            self.optimizer.build(self._trained.trainable_variables)
            self._average = self._make_average(config.optimizer.average_decay)
        self._scales = config.precision == "float16"
        tables = [v.shape[0] for v in model.trainable_variables if v.shape.rank == 2]
        self.sparse = keeps_sparse(
            config, max(tables, default=0), self._batch_size * data.examples // data.size
        )
        self._prepare()

    def checkpoint(self) -> tf.train.Checkpoint:
        """See TrainingLoop: weights, optimizer, and the random states of layers such as dropout."""
        generators = [
            getattr(getattr(layer, "_random_generator", None), "_generator", None)
            for layer in self._trained.submodules
        ]
        # Keras leaves these out of a model's checkpoint.
        random = [generator for generator in generators if generator is not None]
        kept = {"model": self.model, "optimizer": self.optimizer, "random": random}
        if self._average is not None:
            kept |= {"trained": self._trained, "average": self._average}
        return tf.train.Checkpoint(**kept)

    def _make_average(self, decay: float) -> WeightAverage | None:
        return WeightAverage(self._trained.trainable_variables, decay) if decay else None

    def _prepare(self) -> None:
        # One compiled function of the whole step lets XLA fuse the optimizer's
        # passes over the weights. It can hold neither what replicas exchange
        # nor what makes the rows of a sparse gradient unique.
        dense = self._config.strategy == "none" and not self.sparse
        whole = dense and self._trained.static_shapes
        compiled = functools.partial(tf.function, jit_compile=self._config.jit_compile)
        exchanged = self._replicas > 1 and self._trained.cross_replica
        alone = self._trained.static_shapes and not exchanged
        self._differentiate = (
            compiled(self._loss_and_gradients)
            if alone and not whole and self._config.strategy != "tpu"
            else self._loss_and_gradients
        )
        self._apply = self._apply_gradients
        if dense and not whole:
            self._apply = compiled(self._apply_gradients)
        self._replica_step = compiled(self._step) if whole else self._step
        self._run = tf.function(self._steps)

    def fit(
        self,
        epochs: int,
        after_epoch: Callable[[Epoch], bool],
        progress: Progress,
        start: int = 1,
    ) -> list[Epoch]:
        """See TrainingLoop; progress is told of every graph call."""
        history = []
        self._give_weights(resumed=start > 1)
        for number in range(start, epochs + 1):
            history.append(self._epoch(number, progress))
            self._take_weights()
            if after_epoch(history[-1]):
                break
        return history

    def _give_weights(self, resumed: bool) -> None:
        """Let the twin start from the model's weights, or where a checkpoint has put it."""
        if self._trained is self.model or (resumed and self._average is not None):
            return
        self._trained.set_weights(self.model.get_weights())
        if self._average is not None:
            self._average.start()

    def _take_weights(self) -> None:
        """Give the model the twin's weights, or their average."""
        if self._trained is not self.model:
            self.model.set_weights(self._trained.get_weights())
        if self._average is not None:
            averages = self._average.averages
            for variable, average in zip(self.model.trainable_variables, averages, strict=True):
                variable.assign(average.read_value())

    def _epoch(self, number: int, progress: Progress) -> Epoch:
        started = time.perf_counter()

        def parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
            replicas = self._replicas // context.num_input_pipelines
            first = context.input_pipeline_id * replicas
            numbers = range(first, first + replicas)
            return self._data.epoch(number, self._batch_size, numbers, self._replicas)

        steps = self._epoch_steps
        iterator = iter(self._strategy.distribute_datasets_from_function(parts))
        losses = []
        for chunk in np.array_split(np.arange(steps), min(CALLS_PER_EPOCH, steps)):
            loss = float(self._run(iterator, tf.constant(len(chunk))))
            self._check_loss(loss, number)
            losses.append(loss * len(chunk))
            progress.advance(number, (chunk[-1] + 1) / steps, loss)
        return self._finished(number, sum(losses), started)

    def _check_loss(self, loss: float, epoch: int) -> None:
        check_loss(loss, epoch, f"a trainer.learning_rate below {self._config.learning_rate:g}")

    def _finished(self, number: int, losses: float, started: float) -> Epoch:
        return Epoch(
            number=number,
            loss=losses / self._epoch_steps,
            seconds=time.perf_counter() - started,
            examples=self._data.examples,
            steps=self._epoch_steps,
        )

    def _steps(self, iterator: tf.data.Iterator, count: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0.0)
        for _ in tf.range(count):
            losses = self._strategy.run(self._replica_step, args=(next(iterator),))
            total += self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        return total / tf.cast(count, tf.float32)

    def _step(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Take one replica's step; gradients are summed over replicas, hence the division."""
        loss, gradients = self._differentiate(batch)
        self._apply(gradients)
        return loss

    def _apply_gradients(self, gradients: list[tf.Tensor]) -> None:
        variables = self._trained.trainable_variables
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        if self._average is not None:
            self._average.update(self.optimizer.iterations)

    def _loss_and_gradients(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = self._trained.compute_loss(batch, training=True)
            loss = tf.add_n([loss, *self._trained.losses]) / self._replicas
            scaled = self.optimizer.get_scaled_loss(loss) if self._scales else loss
        gradients = tape.gradient(scaled, self._trained.trainable_variables)
        if self._scales:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        if self.sparse:
            return loss, gradients
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]
