"""Settings of the gate between a trained model and the served folder.

Read by pipeline.eval_config, which makes thresholds of them; composed in
pipeline.config. No TensorFlow import.
"""

from __future__ import annotations

import dataclasses

from schema.settings import check


@dataclasses.dataclass(frozen=True)
class GateConfig:
    """What a model must reach on the overall slice to be blessed.

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
        such as 0.1 for 10 %; null to compare without a consequence, the way
        out when an old model should no longer count.
      max_rmse: largest RMSE of the predicted ratings, for models that predict
        them; null for none.
    """

    protocol: str = "full"
    min_hr: float | None = None
    min_ndcg: float | None = None
    must_beat_popularity: bool = True
    max_drop: float | None = 0.1
    max_rmse: float | None = None

    def __post_init__(self) -> None:
        for name in ("min_hr", "min_ndcg", "max_drop"):
            value = getattr(self, name)
            expected = f"{name}: expected in [0, 1] or null, got {value}."
            check(value is None or 0 <= value <= 1, expected)
        rmse = self.max_rmse
        check(rmse is None or rmse > 0, f"max_rmse: expected > 0 or null, got {rmse}.")
