"""The interval beside a rate."""

from __future__ import annotations

from math import sqrt

Z = 1.959963984540054
"""Two-sided, 95 in a hundred."""


def wilson(hits: float, among: float, z: float = Z) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), within [0, 1]; (0, 1) among none. Weighted counts need not be whole.

    ValueError where more were hit than there are.
    """
    if not 0 <= hits <= among:
        raise ValueError(f"{hits:g} of {among:g} is no share")
    if among == 0:
        return 0.0, 1.0
    share, tail = hits / among, z * z / among
    middle = (share + tail / 2) / (1 + tail)
    half = z / (1 + tail) * sqrt(share * (1 - share) / among + tail / (4 * among))
    # At the ends the formula is exactly 0 or 1, and floating point only nearly.
    return (0.0 if hits == 0 else max(0.0, middle - half)), (1.0 if hits == among else min(1.0, middle + half))
