"""Settings of the gate between a trained model and the served folder.

Composed in pipeline.config. No TensorFlow import.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check


@dataclasses.dataclass(frozen=True)
class SliceFloors:
    """What no group may lose against the last blessed model.

    Attributes:
      max_drop: largest relative drop of NDCG@k in a slice of the evaluation;
        null for no floor.
      min_users: smaller slices are reported and never gate.
      only_significant: a drop counts only where the 95 % interval of the paired
        difference lies below 0. Half of all small groups lose by chance alone,
        so floors without this suit data with large groups.
    """

    max_drop: float | None = None
    min_users: int = 50
    only_significant: bool = False

    def __post_init__(self) -> None:
        drop = self.max_drop
        check(
            drop is None or 0 <= drop <= 1,
            f"max_drop: expected in [0, 1] or null, got {drop}.",
        )
        check(self.min_users >= 1, f"min_users: expected at least 1, got {self.min_users}.")


@dataclasses.dataclass(frozen=True)
class GateConfig:
    """What a model must reach to be blessed; on the overall slice, but for `slices`.

    A model that predicts ratings is better judged by `max_rmse`: the item that
    it predicts the best rating for is rarely the popular one that is rated next,
    so its presets switch `must_beat_popularity` and `max_drop` off.

    Attributes:
      protocol: whose figures count, by its name among those of the evaluation.
      min_hr: least HR@k; null for none.
      min_ndcg: least NDCG@k; null for none.
      must_beat_popularity: whether NDCG@k must lie above that of ranking by
        training popularity.
      max_drop: largest relative drop of NDCG@k against the last blessed model,
        such as 0.1 for 10 %; null for none. A gate without any rule against the
        last blessed model is the way out when it should no longer count.
      max_drop_absolute: largest drop of NDCG@k itself; null for none.
      significance: whether a model is refused, however little it loses, when the
        95 % interval of the paired difference lies below 0.
      max_rmse: largest RMSE of the predicted ratings, for models that predict
        them; null for none.
      slices: floors of single groups.
    """

    protocol: str = "full"
    min_hr: float | None = None
    min_ndcg: float | None = None
    must_beat_popularity: bool = True
    max_drop: float | None = 0.1
    max_drop_absolute: float | None = None
    significance: bool = False
    max_rmse: float | None = None
    slices: SliceFloors = dataclasses.field(default_factory=SliceFloors)

    def __post_init__(self) -> None:
        for name in ("min_hr", "min_ndcg", "max_drop", "max_drop_absolute"):
            value = getattr(self, name)
            expected = f"{name}: expected in [0, 1] or null, got {value}."
            check(value is None or 0 <= value <= 1, expected)
        rmse = self.max_rmse
        check(rmse is None or rmse > 0, f"max_rmse: expected > 0 or null, got {rmse}.")

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
