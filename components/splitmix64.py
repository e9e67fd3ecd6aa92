"""SplitMix64: 64 bits that look random, out of 64 that do not.

Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA
2014. The generator's n-th number from a seed is `finalize(seed + n * GAMMA)`.
"""

from __future__ import annotations

import numpy as np

# The golden ratio; odd, so its multiples run through all 64-bit numbers.
GAMMA = np.uint64(0x9E3779B97F4A7C15)


def finalize(values: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers one by one; unequal ones stay unequal.

    Args:
      values: uint64, any shape.

    Returns:
      uint64, the same shape.
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))
