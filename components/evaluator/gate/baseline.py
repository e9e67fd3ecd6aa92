"""What there is to say of the last blessed model besides its figures.

Candidate and baseline are evaluated under the same settings on the same rows;
what remains to be said is what they know apart, and how the baseline came to be
blessed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from components.evaluator.keys import EVALUATION_PROPERTY, FORCE_PROPERTY

if TYPE_CHECKING:
    # Both load TensorFlow.
    from tfx import types

    from components.evaluator.ranking.wrap import ModelFacts

# More changed settings than this are not listed one by one.
_LISTED = 3


@dataclasses.dataclass(frozen=True)
class Baseline:
    """Hold what the Evaluator found of the last blessed model.

    Attributes:
      model: uri of its artifact; None on a first run.
      obstacle: one sentence on why it cannot be evaluated; None where it was.
      notes: sentences on what to know when the figures are compared.
    """

    model: str | None = None
    obstacle: str | None = None
    notes: tuple[str, ...] = ()


def model_differences(candidate: ModelFacts, baseline: ModelFacts) -> Iterator[str]:
    """Say what the two models know apart.

    Args:
      candidate: facts of the model that is to be blessed.
      baseline: facts of the last blessed model.

    Yields:
      One sentence a difference; none where both know the same items and as
      many users.
    """
    ours, theirs = set(candidate.item_ids), set(baseline.item_ids)
    if lacking := len(ours - theirs):
        yield (
            f"The last blessed model lacks {lacking} of the candidate's {len(ours)} items; a "
            "held-out item among them ranks last for it."
        )
    if more := len(theirs - ours):
        yield (
            f"The last blessed model has {more} items that the candidate lacks; a held-out item "
            "among them ranks last for the candidate."
        )
    if candidate.user_count != baseline.user_count:
        yield (
            f"The last blessed model knows {baseline.user_count} users, the candidate "
            f"{candidate.user_count}; whom a model does not know it ranks for as an unknown user."
        )


def blessing_history(blessing: types.Artifact | None, evaluation: dict[str, Any]) -> Iterator[str]:
    """Say under which other circumstances the last blessed model was blessed.

    Args:
      blessing: its ModelBlessing, or None where it is not at hand.
      evaluation: the present evaluation settings.

    Yields:
      One sentence where the settings have changed since, one where it was
      blessed by force.
    """
    if blessing is None:
        return
    # A cluster hands properties on as JSON values, which only this getter reads.
    settings = blessing.get_string_custom_property(EVALUATION_PROPERTY)
    if settings:
        before = json.loads(settings)
        changed = list(_changes(before, evaluation, EVALUATION_PROPERTY))
        if changed:
            listed = ", ".join(changed[:_LISTED])
            more = f" and {len(changed) - _LISTED} more" if len(changed) > _LISTED else ""
            yield (
                f"The evaluation settings have changed since the last blessed model was blessed "
                f"({listed}{more}); both models are evaluated under the present ones."
            )
    reason = blessing.get_string_custom_property(FORCE_PROPERTY)
    if reason:
        yield f"The last blessed model was blessed by force: {reason}"


def _changes(before: Any, now: Any, path: str) -> Iterator[str]:
    """List the settings that differ, as "key: before -> now"."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from _changes(before.get(key), now.get(key), f"{path}.{key}")
    elif before != now:
        yield f"{path}: {_short(before)} -> {_short(now)}"


def _short(value: Any) -> str:
    if value is None:
        return "none"
    return json.dumps(value)
