"""Calibration: which of a proxy's answers may stand in for the model's, so that the stated accuracy is kept.

All three promises have one form: of a nested set of answers that are taken over, no more than so many may be bad. For
an accuracy these are wrong answers; for a recall, inputs that are dropped and that the model calls true; for a
precision, inputs that pass and that the model calls false. The model answers all others, as in SUPG (Kang et al., arXiv
2004.00827) and BARGAIN (arXiv 2509.02896), whose guarantees these are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .guarantee import Guarantee
from .nested_test import NestedTest

SETS = 40
"""Nested sets at which a sequence is tested."""
LEAST_SAMPLE = 20
MOST_SHARE = 0.4
"""Of the rows: no first sample is larger, for little would be left to save."""
GROWTH = 0.5
"""A further sample has at most so many times the rows of all before it."""
WORTH = 0.5
"""Rows are drawn on while that costs less than this share of the calls that it may save."""
SHARES = np.arange(0.01, 1.0, 0.01)


@dataclass(frozen=True)
class Proposal:
    """What a helper or a proxy would answer.

    Args:
        answers: for each row.
        scores: for each row; of a filter how likely it is true, else how sure the answer is.
    """

    answers: Sequence[Any]
    scores: np.ndarray

    def confidence(self) -> np.ndarray:
        """Return how sure each answer is."""
        if not any(isinstance(answer, bool) for answer in self.answers):
            return self.scores
        return np.where([answer is True for answer in self.answers], self.scores, 1.0 - self.scores)


@dataclass
class Decision:
    """What a calibration came to.

    Args:
        taken: the answers that are taken over, by row; the model answers all other rows.
        sampled: how many rows were drawn at random.
        wrong: how many of the answers taken over are likely wrong, by the sample.
        wrongly_true: how many of these are TRUE.
    """

    taken: dict[int, Any] = field(default_factory=dict)
    sampled: int = 0
    wrong: float = 0.0
    wrongly_true: float = 0.0


@dataclass
class _Sequence:
    """Rows in the order in which answers are taken over, with the test of how many of them are bad.

    Args:
        rows: the safest first.
        answers: what each row gets if it is taken over; the row is bad if the model says otherwise.
        test: of the nested sets.
        allowed: returns how many rows of each set may be bad, if the filter is true of at least so many rows.
        likely: how many rows could be taken over at best.
    """

    rows: np.ndarray
    answers: Sequence[Any]
    test: NestedTest
    allowed: Callable[[float], np.ndarray]
    likely: int

    def positions(self) -> dict[int, int]:
        """Return where each row stands."""
        return {int(row): position for position, row in enumerate(self.rows)}


class Calibration:
    """One call's rows on their way to a decision.

    Args:
        guarantee: what was stated.
        proposal: what the proxy says; the rows are in random order.
        labels: what the model has said of the first rows, which the proxy may have learned; no others are drawn.
        share: of the rows of which a filter is true, roughly, from other rows than those that are drawn.
    """

    def __init__(
        self, guarantee: Guarantee, proposal: Proposal, labels: Mapping[int, Any], start: int, share: float
    ) -> None:
        self.guarantee, self.proposal = guarantee, proposal
        self.labels = dict(labels)
        self._size, self._start = len(proposal.answers), start
        self._drawn = 0
        self._share = min(max(share, 1.0 / self._size), 1.0)
        both = guarantee.recall is not None and guarantee.precision is not None
        self._risk = guarantee.risk / (3 if both else 1)
        self._sequences = list(self._make_sequences())
        self._positions = [each.positions() for each in self._sequences]
        self._drawable = self._rows_to_draw()
        self._truth = NestedTest([self._size - start] * len(SHARES), self._risk) if both else None

    def run(self) -> Generator[list[int], Mapping[int, Any], Decision]:
        """Yield rows that the model shall answer, and take its answers; return the decision.

        A row whose answer failed is not among the answers that are sent in.
        """
        more = self._first_sample()
        if more > MOST_SHARE * len(self._drawable):
            return Decision()
        if self.guarantee.recall is not None and self.guarantee.precision is None:
            # The model answers the likeliest rows in any case; how many of them are true says how many may be lost.
            likeliest = np.argsort(-self.proposal.scores, kind="stable")[: math.ceil(self._share * self._size)]
            self.labels |= yield self._unlabelled(likeliest.tolist())
        while more:
            rows = self._drawable[self._drawn : self._drawn + more]
            true = self._true()  # Before the answers are there: a bet is placed before the draw.
            self.labels |= yield self._unlabelled(rows)
            self._observe(rows, true)
            more = self._further_sample()
        return self._decide()

    def _make_sequences(self) -> Iterator[_Sequence]:
        wanted, size, total = self.guarantee, self._size - self._start, self._size
        scores = self.proposal.scores[self._start :]
        sizes = _sizes(1, size)
        if wanted.recall is not None:
            lost, rows = 1.0 - wanted.recall, np.argsort(scores, kind="stable")
            yield self._sequence(rows, sizes, False, lambda true: np.full(len(sizes), lost * true), 1.0 - self._share)
        if wanted.precision is not None:
            rows = np.argsort(-scores, kind="stable")
            passing = _sizes(max(1, round(self._share * size / 2)), min(size, math.ceil(1.2 * self._share * size)))
            allowed = _wrong_among_passing(wanted, np.array(passing))
            yield self._sequence(rows, passing, True, allowed, self._share)
        if wanted.recall is None and wanted.precision is None:
            wrong = (1.0 - (wanted.accuracy or 1.0)) * total
            rows = np.argsort(-self.proposal.confidence()[self._start :], kind="stable")
            yield self._sequence(rows, sizes, None, lambda true: np.full(len(sizes), wrong), 1.0)

    def _sequence(
        self,
        rows: np.ndarray,
        sizes: list[int],
        answer: bool | None,
        allowed: Callable[[float], np.ndarray],
        at_best: float,
    ) -> _Sequence:
        answers = self.proposal.answers if answer is None else [answer] * self._size
        likely = max(1, round(at_best * len(rows)))
        return _Sequence(rows + self._start, answers, NestedTest(sizes, self._risk), allowed, likely)

    def _rows_to_draw(self) -> list[int]:
        """Return the rows that may be drawn, in their random order: of one sequence those of its largest set."""
        if len(self._sequences) > 1:
            return list(range(self._start, self._size))
        (only,) = self._sequences
        return sorted(only.rows[: only.test.sizes[-1]].tolist())

    def _unlabelled(self, rows: Sequence[int]) -> list[int]:
        return [row for row in rows if row not in self.labels]

    def _observe(self, rows: Sequence[int], true: float) -> None:
        """Add what was drawn to the tests."""
        self._drawn += len(rows)
        allowed = [each.allowed(true) for each in self._sequences]
        for row in (row for row in rows if row in self.labels):
            for each, positions, most in zip(self._sequences, self._positions, allowed, strict=True):
                each.test.add(positions[row], self.labels[row] != each.answers[row], most)
            if self._truth:  # Were it true of fewer rows than a share, it would be false of more than of the others.
                self._truth.add(0, not self.labels[row], (1.0 - SHARES) * (self._size - self._start))

    def _true(self) -> float:
        """Return of how many rows the filter is true at least."""
        labelled = sum(label is True for label in self.labels.values())
        if not self._truth:
            return labelled
        size = self._size - self._start
        sets = self._truth.safe_sets((1.0 - SHARES) * size)
        return max(labelled, math.floor(SHARES[sets - 1] * size) if sets else 0)

    def _first_sample(self) -> int:
        """Return how many rows show that the likely answers can be taken over, if the model agrees with all of them."""
        needed = LEAST_SAMPLE
        for each in self._sequences:
            largest = int(np.searchsorted(each.test.sizes, each.likely))
            allowed = each.allowed(self._share * self._size)[min(largest, len(each.test.sizes) - 1)]
            share = min(allowed / each.likely, 0.5)
            if share <= 0.0:
                return self._size + 1
            rows = math.log(2.5 / self._risk) / -math.log1p(-share)
            needed = max(needed, math.ceil(rows * len(self._drawable) / each.likely))
        return needed

    def _further_sample(self) -> int:
        """Return how many more rows to draw; 0 where that would cost more than it may save."""
        most = max(LEAST_SAMPLE, math.ceil(GROWTH * self._drawn))
        wanted, true = 0.0, self._true()
        for each in self._sequences:
            allowed = each.allowed(true)
            sizes, gains = each.test.sizes, each.test.sizes - each.test.safe_size(allowed)
            # A set counts only if all before it are safe.
            draws = np.maximum.accumulate(each.test.rows_to_safety(allowed) / sizes) * len(self._drawable)
            costs = draws * sizes / len(self._drawable)
            worth = np.where(costs < WORTH * gains, gains - costs, 0.0)
            if worth.max() > 0.0:
                wanted = max(wanted, draws[int(np.argmax(worth))])
        return min(max(math.ceil(wanted), LEAST_SAMPLE), most, len(self._drawable) - self._drawn) if wanted > 0.0 else 0

    def _decide(self) -> Decision:
        true, given = self._true(), dict[int, Any]()
        for each in self._sequences:
            for row in each.rows[: each.test.safe_size(each.allowed(true))].tolist():
                if each.answers[row] is not None:
                    given.setdefault(row, each.answers[row])
        drawn = [row for row in self._drawable[: self._drawn] if row in self.labels and row in given]
        wrong = [given[row] for row in drawn if given[row] != self.labels[row]]
        taken = {row: answer for row, answer in given.items() if row not in self.labels}
        weight = len(taken) / max(1, len(drawn))
        return Decision(taken, self._drawn, weight * len(wrong), weight * sum(answer is True for answer in wrong))


def _wrong_among_passing(wanted: Guarantee, sizes: np.ndarray) -> Callable[[float], np.ndarray]:
    """Return how many rows of each set that passes may be wrong.

    Where P rows are true and `recall` of them pass, F wrong ones make the precision recall P / (recall P + F). Where no
    row is lost, a set of which no more than `wrong` is wrong holds enough true rows of its own.
    """
    wrong, recall = 1.0 - (wanted.precision or 1.0), wanted.recall or 1.0

    def allowed(true: float) -> np.ndarray:
        of_all = np.full(len(sizes), wrong / max(1.0 - wrong, 1e-9) * recall * true)
        return np.maximum(of_all, wrong * sizes) if recall == 1.0 else of_all

    return allowed


def _sizes(least: int, most: int) -> list[int]:
    return sorted({max(least, round(most * part / SETS)) for part in range(1, SETS + 1)})
