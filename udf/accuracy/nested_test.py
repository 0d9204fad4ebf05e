"""A test of how many rows of nested sets are bad, from a random sample that may be stopped at any time.

The sets are the first rows of a sequence: the answers of which a proxy is surest, more and more of them. For each set
a gambler bets against "more rows are bad than is allowed"; where the wealth exceeds 1 / risk the set is safe (Ville's
inequality). Betting on a mean, with sampling without replacement and optional stopping: Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting", arXiv 2010.09686. As in BARGAIN (arXiv 2509.02896) the sets
are tested in a fixed order up to the first that is not safe. Of a larger set at least as many rows are bad, so only
the first unsafe set can be mistaken, and the whole sequence costs the risk of one test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

FRACTIONS = np.array([0.0, 0.1, 0.25, 0.5, 0.75])
"""What a gambler takes for the share of bad rows, as a fraction of the share allowed."""
WEIGHTS = np.array([0.4, 0.15, 0.15, 0.15, 0.15])
"""Of the wealth on each fraction: most rows of a safe set are good, hence the first."""


MOST_WEALTH = 1e12


class NestedTest:
    """Tests nested sets of the sizes given.

    Args:
        sizes: of the sets, ascending; chosen without a look at the sample.
        risk: the probability with which `safe_size` may return a size that is not safe.
    """

    def __init__(self, sizes: Sequence[int], risk: float) -> None:
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.risk = risk
        self.seen = np.zeros(len(sizes), dtype=np.int64)
        self.bad = np.zeros(len(sizes), dtype=np.int64)
        self._wealth = np.tile(WEIGHTS, (len(sizes), 1))
        self._safe = np.zeros(len(sizes), dtype=bool)

    def add(self, position: int, is_bad: bool, allowed: np.ndarray) -> None:
        """Add one row of the sample.

        Args:
            position: the row's in the sequence; only larger sets contain it.
            is_bad: whether the row is bad.
            allowed: for each set how many of its rows may be bad, from what was seen before this row.
        """
        share = self._least_share(allowed)
        contains = (self.sizes > position)[:, None]
        if is_bad:
            factor = np.broadcast_to(FRACTIONS, self._wealth.shape)
        else:
            capped = np.minimum(share, 1.0 - 1e-12)[:, None]
            factor = (1.0 - FRACTIONS * capped) / (1.0 - capped)
        change = np.where(contains, np.where((share <= 0.0)[:, None], 0.0, factor), 1.0)
        self._wealth = np.minimum(self._wealth * change, MOST_WEALTH)
        self.seen += contains[:, 0]
        self.bad += contains[:, 0] & is_bad
        self._safe |= self._wealth.sum(axis=1) * self.risk >= 1.0

    def safe_sets(self, allowed: np.ndarray) -> int:
        """Return how many sets, from the first on, have been shown to be safe."""
        safe = self._safe | (self.sizes <= allowed)
        return len(safe) if safe.all() else int(np.argmin(safe))

    def safe_size(self, allowed: np.ndarray) -> int:
        """Return the size of the largest set that has been shown to be safe; 0 for none."""
        sets = self.safe_sets(allowed)
        return int(self.sizes[sets - 1]) if sets else 0

    def rows_to_safety(self, allowed: np.ndarray) -> np.ndarray:
        """Return for each set how many more of its rows would show it to be safe.

        It is an expectation from the rows seen so far, and infinite where the set is not likely to be safe.
        """
        share = np.clip(self._least_share(allowed), 0.0, 1.0 - 1e-12)
        rate = (self.bad + 0.5) / (self.seen + 1.0)
        growth = np.max(
            [
                rate * math.log(fraction) + (1.0 - rate) * np.log((1.0 - fraction * share) / (1.0 - share))
                for fraction in FRACTIONS[1:]
            ],
            axis=0,
        )
        growth = np.where((self.bad == 0) & (self.seen > 0), -np.log1p(-share), growth)
        with np.errstate(divide="ignore"):
            lacking = np.maximum(-np.log(self.risk * self._wealth.sum(axis=1)), 0.0)
        return np.where(growth > 0.0, lacking / np.maximum(growth, 1e-12), math.inf)

    def _least_share(self, allowed: np.ndarray) -> np.ndarray:
        """Return the least share of bad rows among those not seen, if more were bad than is allowed."""
        return np.asarray((np.floor(allowed) + 1.0 - self.bad) / np.maximum(self.sizes - self.seen, 1))
