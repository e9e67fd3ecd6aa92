"""MRR@k as a TFMA metric."""

from __future__ import annotations

import numpy as np

from components.metrics.base import CutOffMetric
from trainer.ops.tie_groups import TieGroups


class RankMRR(CutOffMetric):
    """Average the reciprocal rank of the best target, 0 if it is not among the first k.

    At position p (from 0) it is 1 / (p + 1). The best target lies in the row's
    best group: with t targets on m positions it is the d-th of them (from 0)
    with the chance C(m - d - 1, t - 1) / C(m, t), worked out step by step from
    the chance that none came before. Source: Voorhees 1999, "The TREC-8
    Question Answering Track Report"; ties: McSherry and Najork 2008.
    """

    def per_user(self, tie_groups: TieGroups) -> np.ndarray:
        """See TargetMetric."""
        best = (tie_groups.before == 0) & (tie_groups.number == 0)
        first, size, tied = tie_groups.first[best], tie_groups.size[best], tie_groups.tied[best]
        reach = tie_groups.above(self.k)[best]
        expected, none_yet = np.zeros(len(first)), np.ones(len(first))
        for step in range(int(reach.max(initial=0))):
            here = none_yet * tied / np.maximum(size - step, 1)
            expected += np.where(step < reach, here / (first + step + 1), 0)
            none_yet -= here
        return expected
