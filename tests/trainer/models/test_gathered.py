"""What replicas exchange, as a TPU's operations take it; test_replicas of trainer runs the rest."""

import tensorflow as tf

from trainer.models.two_tower import cross_replica


class Context:
    """Of the first of two replicas on a TPU, whose operation is built but not run."""

    num_replicas_in_sync, replica_id_in_sync_group = 2, 0
    strategy = object.__new__(tf.distribute.TPUStrategy)

    def all_reduce(self, _, values):
        return tf.raw_ops.CrossReplicaSum(input=values, group_assignment=[[0, 1]])


def test_positions_and_codes_of_replicas_can_be_summed_on_a_tpu(monkeypatch):
    monkeypatch.setattr(tf.distribute, "get_replica_context", Context)
    for dtype, shape in ((tf.int32, [3]), (tf.float32, [3, 2])):
        traced = tf.function(cross_replica.gathered).get_concrete_function(
            tf.TensorSpec(shape, dtype)
        )
        (result,) = traced.outputs
        assert (result.dtype, result.shape) == (dtype, [6, *shape[1:]])
