"""Finds the model that a candidate must not fall behind, and the one to start from."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

CANDIDATE = "candidate"
MODEL = "model"
BLESSING = "model_blessing"


class LatestPresentBlessedModelStrategy(LatestBlessedModelStrategy):
    """Find the latest blessed model of those whose files are still there.

    A model that was blessed several times comes with its first blessing: the
    Evaluator reads it, and each further one would make it run again.
    """

    def _resolve(
        self,
        input_dict: dict[str, list[types.Artifact]],
        model_channel_key: str,
        model_blessing_channel_key: str,
    ) -> dict[str, list[types.Artifact]]:
        present = [m for m in input_dict[model_channel_key] if fileio.exists(m.uri)]
        # The stock strategy takes the last that it meets.
        blessings = sorted(input_dict[model_blessing_channel_key], key=lambda b: -b.id)
        return super()._resolve(
            {model_channel_key: present, model_blessing_channel_key: blessings},
            model_channel_key,
            model_blessing_channel_key,
        )


class LatestOtherBlessedModelStrategy(LatestPresentBlessedModelStrategy):
    """Find the latest blessed model besides the candidate itself.

    With the stock strategy an unchanged second run finds the first run's model,
    the candidate itself, as its baseline: the Evaluator's inputs differ from
    the first run's, so it and what follows run again. A model also measures
    itself against nothing that way.
    """

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Resolve as LatestBlessedModelStrategy does, without the candidate.

        Args:
          store: the metadata store.
          input_dict: artifacts under CANDIDATE, MODEL and BLESSING.

        Returns:
          At most one model and its blessing; nothing under CANDIDATE.
        """
        candidates = {artifact.id for artifact in input_dict[CANDIDATE]}
        others = {
            MODEL: [m for m in input_dict[MODEL] if m.id not in candidates],
            BLESSING: list(input_dict[BLESSING]),
        }
        resolved = super().resolve_artifacts(store, others)
        return None if resolved is None else {CANDIDATE: [], **resolved}


def baseline_resolver(candidate: types.BaseChannel, stock: bool = False) -> Resolver:
    """Make a Resolver of the model that a candidate is compared with.

    Args:
      candidate: channel of the Model that is to be judged; the Resolver runs
        after its producer.
      stock: use TFX's own strategy, for back ends that know no other (Vertex);
        results of an unchanged second run are then not reused from here on.

    Returns:
      A node whose outputs MODEL and BLESSING hold one artifact or none.
    """
    if stock:
        return Resolver(strategy_class=LatestBlessedModelStrategy, **_channels())
    return Resolver(
        strategy_class=LatestOtherBlessedModelStrategy, **{CANDIDATE: candidate, **_channels()}
    )


def base_resolver(stock: bool = False) -> Resolver:
    """Make a Resolver of the model that a training starts from.

    Args:
      stock: see baseline_resolver; the files of the latest blessed model must
        then still be there.

    Returns:
      A node whose outputs MODEL and BLESSING hold one artifact or none.
    """
    strategy = LatestBlessedModelStrategy if stock else LatestPresentBlessedModelStrategy
    return Resolver(strategy_class=strategy, **_channels())


def _channels() -> dict[str, types.BaseChannel]:
    return {
        MODEL: types.Channel(type=standard_artifacts.Model),
        BLESSING: types.Channel(type=standard_artifacts.ModelBlessing),
    }
