"""Where a training runs: which strategy, over which devices and processes.

The names are those of TrainerConfig.strategy.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from schema.errors import UserError
from trainer.config.trainer import AUTO, ONE_PROCESS, TrainerConfig
from trainer.distribution.cluster_task import CHIEF, PARAMETER_SERVER, WORKER, ClusterTask


@dataclasses.dataclass(frozen=True)
class DistributionContext:
    """Hold the devices and processes that train one model together.

    Attributes:
      strategy: over them; TensorFlow's default one for "none".
      task: this process's part.
    """

    strategy: tf.distribute.Strategy
    task: ClusterTask = dataclasses.field(default_factory=ClusterTask)

    @property
    def is_default(self) -> bool:
        """Tell whether the strategy is TensorFlow's default one; to be asked outside its scope."""
        return self.strategy is tf.distribute.get_strategy()

    @property
    def asynchronous(self) -> bool:
        """Tell whether workers take steps of their own instead of parts of common ones."""
        return isinstance(self.strategy, tf.distribute.ParameterServerStrategy)

    def figures(self, batch_size: int) -> dict[str, int]:
        """Describe how the work is shared, JSON-ready.

        Args:
          batch_size: as configured.

        Returns:
          Numbers of processes and replicas, and the positives of one replica's step.
        """
        replicas = self.strategy.num_replicas_in_sync
        return {
            "processes": self.task.processes,
            "replicas": replicas,
            "replica_batch_size": batch_size // replicas,
        }

    def all_mean(self, metrics: dict[str, float]) -> dict[str, float]:
        """Make all processes go on with the same numbers, to the bit.

        They decide when training ends; one that ended earlier than the others
        would leave them waiting for it.

        Args:
          metrics: what this process measured.

        Returns:
          The means over the processes.
        """
        if not self._synchronizes:
            return metrics
        values = self._mean(tf.constant(list(metrics.values()), tf.float64)).numpy()
        return dict(zip(metrics, map(float, values), strict=True))

    def from_writer(self, number: float) -> float:
        """Tell all processes a number that the one that writes knows.

        Args:
          number: of that process; those of the others are not looked at.

        Returns:
          The same on all of them.
        """
        if not self._synchronizes:
            return number
        writes = float(self.task.writes)
        told = self.all_mean({"number": number * writes, "writers": writes})
        return told["number"] / told["writers"]

    def check_same_start(self, epochs: int) -> None:
        """Refuse to go on from states that are not those of the other processes.

        Args:
          epochs: that the state which was found has behind it; 0 without one.

        Raises:
          UserError: another process has found another one.
        """
        if self.all_mean({"epochs": float(epochs)})["epochs"] != epochs:
            raise UserError(
                f"The processes of a training found different states to go on from, this one epoch "
                f"{epochs}; expected a folder for checkpoints that all of them see alike."
            )

    def wait_for_all(self) -> None:
        """Return when all processes that take part in steps are here."""
        if self._synchronizes:
            self._mean(tf.zeros([1], tf.float64))

    @property
    def _synchronizes(self) -> bool:
        return isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy)

    @functools.cached_property
    def _mean(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Average each process's float64 [N], on all of them."""

        @tf.function(reduce_retracing=True)
        def mean(values: tf.Tensor) -> tf.Tensor:
            parts = self.strategy.run(tf.identity, args=(values,))
            return self.strategy.reduce(tf.distribute.ReduceOp.MEAN, parts, axis=None)

        return mean


def resolve_strategy(config: TrainerConfig, task: ClusterTask) -> TrainerConfig:
    """Choose a strategy that fits the processes.

    Args:
      config: whose strategy may be AUTO.
      task: this process's part.

    Returns:
      The configuration, its strategy never AUTO.

    Raises:
      UserError: the strategy wants other processes than there are.
    """
    if config.strategy == AUTO:
        config = config.replace(strategy=_fitting(config, task))
    name, jobs = config.strategy, task.jobs
    there = ", ".join(f"{len(found)} {kind}" for kind, found in jobs.items()) or "no TF_CONFIG"
    if name in ONE_PROCESS:
        fits, wanted = task.processes == 1, "one process"
    elif name == "parameter_server":
        fits = all(jobs.get(kind) for kind in (CHIEF, WORKER, PARAMETER_SERVER))
        wanted = "a TF_CONFIG with a chief, workers and parameter servers (ps)"
    else:
        fits = bool(jobs) and PARAMETER_SERVER not in jobs
        wanted = "a TF_CONFIG with workers and no parameter servers (ps)"
    if not fits:
        raise UserError(f"trainer.strategy: expected {wanted} with {name}, got {there}.")
    return config


def _fitting(config: TrainerConfig, task: ClusterTask) -> str:
    if PARAMETER_SERVER in task.jobs:
        return "parameter_server"
    if task.processes > 1:
        return "multi_worker_mirrored"
    several = len(tf.config.list_physical_devices("GPU")) > 1
    return "mirrored" if several and not config.spec.solved else "none"


def make_distribution(
    config: TrainerConfig, task: ClusterTask | None = None
) -> DistributionContext:
    """Build the strategy; with several processes before TensorFlow does anything else.

    Args:
      config: names the strategy, as `resolve_strategy` gives it; its batch is over all
        replicas.
      task: this process's part; None for a process alone.

    Returns:
      The distribution.

    Raises:
      UserError: no TPU is there, the batch cannot be shared evenly, or a worker
        of parameter servers has several GPUs, which its steps would not share.
    """
    strategy = _strategy(config.strategy)
    replicas = strategy.num_replicas_in_sync
    if config.strategy == "parameter_server" and replicas > 1:
        raise UserError(
            f"trainer.strategy: expected at most one GPU a worker with parameter_server, got "
            f"{replicas}."
        )
    if config.batch_size % replicas:
        raise UserError(
            f"trainer.batch_size: expected a multiple of the {replicas} replicas, "
            f"got {config.batch_size}."
        )
    return DistributionContext(strategy, task or ClusterTask())


def check_devices(config: TrainerConfig) -> None:
    """Make the strategy and let it go; in a process of its own, where others may need the devices.

    Args:
      config: names the strategy.

    Raises:
      UserError: as `make_distribution`.
    """
    make_distribution(config)


# Two strategies of one process would number their collective operations alike.
@functools.lru_cache
def _strategy(name: str) -> tf.distribute.Strategy:
    return STRATEGIES[name]()


def _devices() -> list[str]:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]


def _from_tf_config() -> tf.distribute.cluster_resolver.TFConfigClusterResolver:
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _tpu() -> tf.distribute.cluster_resolver.TPUClusterResolver:
    """Connect to the TPU that the environment names, or else to this machine's own."""
    resolvers = tf.distribute.cluster_resolver
    try:
        try:
            resolver = resolvers.TPUClusterResolver()
        except ValueError:
            resolver = resolvers.TPUClusterResolver("local")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"trainer.strategy: expected a TPU with tpu, found none that answers ({reason})."
        ) from None
    return resolver


# By the names of TrainerConfig.strategy but for AUTO, which stands for one of them.
STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "none": lambda: tf.distribute.get_strategy(),
    "one_device": lambda: tf.distribute.OneDeviceStrategy(_devices()[0]),
    "mirrored": lambda: tf.distribute.MirroredStrategy(_devices()),
    "tpu": lambda: tf.distribute.TPUStrategy(_tpu()),
    "multi_worker_mirrored": lambda: tf.distribute.MultiWorkerMirroredStrategy(_from_tf_config()),
    "parameter_server": lambda: tf.distribute.ParameterServerStrategy(_from_tf_config()),
}
