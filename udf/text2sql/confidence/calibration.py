"""Calibration: turns a score into a probability that was right that often before.

Isotonic regression by pooling adjacent violators (Zadrozny and Elkan, 2002), with each pool's share drawn towards the
middle by one right and one wrong answer (Laplace), and linear between the pools.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

MIN_POOL = 10  # Answers of a pool; fewer say too little.
BINS = 10

Pool = tuple[float, float, int, int]  # The lowest and highest score, the right answers, and all answers.
Scored = tuple[float, bool]  # A score, and whether the answer was right.


@dataclass(frozen=True, slots=True)
class IsotonicCalibration:
    """A rising map from scores to probabilities.

    Args:
        scores: the lowest and the highest score of each pool, rising.
        shares: the share of right answers at each of them, rising.
    """

    scores: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()

    def __call__(self, score: float) -> float:
        """Return the probability for a score; the score itself if nothing was fitted."""
        if not self.scores:
            return score
        place = bisect_left(self.scores, score)
        if place == 0 or place == len(self.scores):
            return self.shares[min(place, len(self.scores) - 1)]
        low, high = self.scores[place - 1], self.scores[place]
        part = (score - low) / (high - low) if high > low else 1.0
        return self.shares[place - 1] + part * (self.shares[place] - self.shares[place - 1])


def fit(answers: Sequence[Scored]) -> IsotonicCalibration:
    """Return the calibration that fits answers whose outcome is known."""
    pools: list[Pool] = []
    for score, group in groupby(sorted(answers), key=lambda answer: answer[0]):
        rights = [right for _, right in group]
        pools.append((score, score, sum(rights), len(rights)))
    merged: list[Pool] = []
    for pool in pools:
        merged.append(pool)
        while len(merged) > 1 and (_share(merged[-2]) >= _share(merged[-1]) or merged[-2][3] < MIN_POOL):
            merged[-2:] = [_joined(merged[-2], merged[-1])]
    if len(merged) > 1 and merged[-1][3] < MIN_POOL:
        merged[-2:] = [_joined(merged[-2], merged[-1])]
    ends = [(end, _share(pool)) for pool in merged for end in dict.fromkeys(pool[:2])]
    return IsotonicCalibration(tuple(end for end, _ in ends), tuple(share for _, share in ends))


def _joined(one: Pool, other: Pool) -> Pool:
    return one[0], other[1], one[2] + other[2], one[3] + other[3]


def _share(pool: Pool) -> float:
    return (pool[2] + 1) / (pool[3] + 2)


def expected_calibration_error(answers: Sequence[Scored], bins: int = BINS) -> float:
    """Return the mean difference between probability and share of right answers, over bins of equal width.

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    total = 0.0
    for part in reliability(answers, bins):
        total += part[2] * abs(part[0] - part[1])
    return total / max(len(answers), 1)


def reliability(answers: Sequence[Scored], bins: int = BINS) -> list[tuple[float, float, int]]:
    """Return for each non-empty bin the mean probability, the share of right answers, and their number."""
    groups: dict[int, list[Scored]] = {}
    for score, right in answers:
        groups.setdefault(min(int(score * bins), bins - 1), []).append((score, right))
    return [
        (sum(s for s, _ in group) / len(group), sum(r for _, r in group) / len(group), len(group))
        for _, group in sorted(groups.items())
    ]


def risk_at_coverage(answers: Sequence[Scored]) -> list[tuple[float, float]]:
    """Return (coverage, share of wrong answers) where only the surest answers are given, at each tenth."""
    ordered = sorted(answers, key=lambda answer: -answer[0])
    curve = []
    for tenth in range(1, 11):
        part = ordered[: max(len(ordered) * tenth // 10, 1)]
        if part:
            curve.append((tenth / 10, 1 - sum(right for _, right in part) / len(part)))
    return curve
