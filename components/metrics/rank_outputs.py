"""Names of what the signature `rank` gives; no TensorFlow import."""

from __future__ import annotations

from schema import features

# Whose ranking a figure is of: the model's, or that by popularity; and the
# difference between the two.
MODEL, POPULARITY, LIFT = "model", "popularity", "lift"

_GREATER, _TIES = "greater", "ties"


class RankOutputs:
    """Name the outputs of `rank`; see ranking.evaluation_model for what they hold."""

    USER = "user_fingerprint"
    CATALOG_SIZE = "catalog_size"
    TOP_ITEM, TOP_SHARE, TOP_DIVERSITY = "top_item", "top_share", "top_diversity"
    # The served list of a row, and what a model that predicts ratings adds.
    LISTS = (TOP_ITEM, TOP_SHARE)
    RATINGS = (features.TARGET_SCORE, features.TARGET_RATING)

    @staticmethod
    def greater(protocol: str, subject: str = MODEL) -> str:
        """Name the number of items that are scored better than a target.

        Args:
          protocol: its name.
          subject: MODEL or POPULARITY, which of the two ranks.

        Returns:
          The output's name.
        """
        return _of(subject, protocol, _GREATER)

    @staticmethod
    def ties(protocol: str, subject: str = MODEL) -> str:
        """Name the number of other items that are scored equal; see `greater`."""
        return _of(subject, protocol, _TIES)

    @staticmethod
    def candidates(protocol: str) -> str:
        """Name the length of a row's list."""
        return f"{protocol}_candidates"

    @staticmethod
    def weight(protocol: str) -> str:
        """Name how much a row counts."""
        return f"{protocol}_weight"

    @staticmethod
    def positive_loss(protocol: str) -> str:
        """Name the loss of a row's targets."""
        return f"{protocol}_positive_loss"

    @staticmethod
    def negative_loss(protocol: str) -> str:
        """Name the loss of a row's negatives."""
        return f"{protocol}_negative_loss"

    @staticmethod
    def counts_greater(name: str) -> bool:
        """Return whether an output is the `greater` of some protocol and subject."""
        return name.endswith(f"_{_GREATER}")

    @classmethod
    def has_a_value_a_target(cls, name: str) -> bool:
        """Return whether an output has one value for each target of a row."""
        return name.endswith((f"_{_GREATER}", f"_{_TIES}")) or name in cls.RATINGS


def _of(subject: str, protocol: str, count: str) -> str:
    prefix = f"{POPULARITY}_" if subject == POPULARITY else ""
    return f"{prefix}{protocol}_{count}"
