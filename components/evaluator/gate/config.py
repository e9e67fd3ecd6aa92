"""Settings of the gate between a trained model and the served folder.

Composed in pipeline.config. No TensorFlow import.
"""

from __future__ import annotations

from schema.settings import Positive, PositiveCount, Settings, Share


class SliceFloors(Settings):
    """Say what no group may lose against the last blessed model."""

    max_drop: Share | None = None
    """Largest relative drop of NDCG@k in a slice of the evaluation; null for no floor."""
    min_users: PositiveCount = 50
    """Smaller slices are reported and never gate."""
    only_significant: bool = False
    """A drop counts only where the 95 % interval of the paired difference lies below 0. Half of all
    small groups lose by chance alone, so floors without this suit data with large groups.
    """


class GateConfig(Settings):
    """Say what a model must reach to be blessed; on the overall slice, but for `slices`.

    A model that predicts ratings is better judged by `max_rmse`: the item that
    it predicts the best rating for is rarely the popular one that is rated next,
    so its presets switch `must_beat_popularity` and `max_drop` off.
    """

    protocol: str = "full"
    """Whose figures count, by its name among those of the evaluation."""
    min_hr: Share | None = None
    """Least HR@k; null for none."""
    min_ndcg: Share | None = None
    """Least NDCG@k; null for none."""
    must_beat_popularity: bool = True
    """Whether NDCG@k must lie above that of ranking by training popularity."""
    max_drop: Share | None = 0.1
    """Largest relative drop of NDCG@k against the last blessed model, such as 0.1 for 10 %; null
    for none. A gate without any rule against the last blessed model is the way out when it should
    no longer count.
    """
    max_drop_absolute: Share | None = None
    """Largest drop of NDCG@k itself; null for none."""
    significance: bool = False
    """Whether a model is refused, however little it loses, when the 95 % interval of the paired
    difference lies below 0.
    """
    max_rmse: Positive | None = None
    """Largest RMSE of the predicted ratings, for models that predict them; null for none."""
    slices: SliceFloors = SliceFloors()
    """Floors of single groups."""

    @property
    def compares(self) -> tuple[str, ...]:
        """Keys of the rules against the last blessed model that are switched on."""
        switched = {
            "gate.max_drop": self.max_drop is not None,
            "gate.max_drop_absolute": self.max_drop_absolute is not None,
            "gate.significance": self.significance,
            "gate.slices.max_drop": self.slices.max_drop is not None,
        }
        return tuple(key for key, on in switched.items() if on)
