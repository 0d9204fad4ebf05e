"""The result of an evaluation: accuracy by parts, errors by kind, tokens, seconds, and comparisons of models."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

from .difficulty import DIFFICULTIES, spider_difficulty
from .question_rows import SkippedRow
from .scoring import DECLINED, OUTCOMES, RIGHT, Outcome, ScoredAnswer

_difficulty = lru_cache(maxsize=None)(spider_difficulty)


@dataclass(slots=True)
class Report:
    """The results of a suite's questions.

    Args:
        suite, model: their names; '' for none.
        judged: every evaluated question, in the suite's order.
        left_out: lines without a question, and questions that cannot be evaluated.
        turns: the number of the turn, from 1, for each value of `turn` in the suite.
        seconds: the duration of the evaluation.
        unasked: the number of questions that were not evaluated, because it was stopped.
        money: the cost of the tokens; None if there is no price.
    """

    suite: str
    judged: list[ScoredAnswer] = field(default_factory=list)
    left_out: list[SkippedRow] = field(default_factory=list)
    turns: dict[int, int] = field(default_factory=dict)
    model: str = ""
    seconds: float = 0.0
    unasked: int = 0
    money: float | None = None

    @property
    def title(self) -> str:
        """The suite and its measure: accuracy by rows, or by SQL if no question has rows."""
        by_sql = all(one.question.schema or one.question.columns for one in self.judged) and self.judged
        return f"{self.suite}: {'accuracy by SQL' if by_sql else 'execution accuracy'}"

    def counts(self, joins: bool | None = None) -> Counter[Outcome]:
        """Count questions by outcome: all, or only those whose reference SQL reads several tables, or one."""
        return Counter(one.outcome for one in self.judged if joins is None or one.joins is joins)

    def accuracy(self, joins: bool | None = None) -> float:
        """Return the share of right answers, of the same selection of questions."""
        counts = self.counts(joins)
        return counts[RIGHT] / max(counts.total(), 1)

    def parts(self) -> dict[str, list[ScoredAnswer]]:
        """Return the non-empty groups of questions: all, by tables, by Spider's difficulty, by turn."""
        parts = {"all": self.judged}
        parts["one table"] = [one for one in self.judged if not one.joins]
        parts["several tables"] = [one for one in self.judged if one.joins]
        levels = [_difficulty(one.question.sql) for one in self.judged]
        for wanted in DIFFICULTIES:
            parts[wanted] = [one for one, level in zip(self.judged, levels, strict=True) if level == wanted]
        if len(self.turns) > 1:
            parts |= {f"turn {number}": self._of_turn(turn) for turn, number in self.turns.items()}
        return {name: part for name, part in parts.items() if part}

    def _of_turn(self, turn: int) -> list[ScoredAnswer]:
        return [one for one in self.judged if one.question.turn == turn and one.question.dialogue is not None]

    def codes(self) -> Counter[str]:
        """Count the errors by code: DuckDB's error types, ours, and the services' own codes."""
        return Counter(one.answered.code for one in self.judged if one.answered.code)

    def tokens(self) -> tuple[int, int]:
        """Return the input and output tokens."""
        answers = [one.answered for one in self.judged]
        return sum(one.input_tokens for one in answers), sum(one.output_tokens for one in answers)

    def latency_quantiles(self) -> tuple[float, float]:
        """Return the median and the 95th percentile of the seconds that the model took for a question."""
        seconds = sorted(one.answered.seconds for one in self.judged)
        return (statistics.median(seconds), seconds[len(seconds) * 95 // 100]) if seconds else (0.0, 0.0)

    def lenient_accuracy(self) -> float:
        """Return the share of answers that are right but for the order of columns, or for further columns."""
        good = sum(one.outcome == RIGHT or one.lenient for one in self.judged)
        return good / max(len(self.judged), 1)

    def confidences(self) -> list[tuple[float, bool]]:
        """Return the confidence of each answer with SQL, and whether it was right."""
        answers = [(one.answered.confidence, one.outcome == RIGHT) for one in self.judged]
        return [(confidence, right) for confidence, right in answers if confidence is not None]

    def bind_rate(self) -> float:
        """Return the share of answers that are SQL that binds, or in which the model declines."""
        good = sum(one.answered.bound or one.outcome == DECLINED for one in self.judged)
        return good / max(len(self.judged), 1)

    def __str__(self) -> str:
        lines = [self.title]
        for label, joins in (("all", None), ("one table", False), ("several tables", True)):
            counts = self.counts(joins)
            counted = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
            lines.append(f"  {label:<15}{100 * self.accuracy(joins):5.1f} %  of {counts.total():4d}: {counted}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same questions.

    Args:
        one, other: the models.
        both, only_one, only_other, neither: numbers of questions, by which models are right.
        p: the probability of a difference at least this large if neither model is better.
    """

    one: str
    other: str
    both: int
    only_one: int
    only_other: int
    neither: int
    p: float

    @property
    def significant(self) -> bool:
        """Whether the difference is significant at the 5 % level."""
        return self.p < 0.05

    def __str__(self) -> str:
        only = f"{self.only_one} right only of {self.one}, {self.only_other} only of {self.other}"
        verdict = "the difference is significant" if self.significant else "no significant difference"
        return f"{only} (exact McNemar test, p = {self.p:.3g}): {verdict}"


def compare(one: Report, other: Report) -> Comparison:
    """Compare two models by McNemar's exact test: the questions that only one of them answers right are coin tosses."""
    theirs = {id(judged.question): judged.outcome == RIGHT for judged in other.judged}
    shared = [judged for judged in one.judged if id(judged.question) in theirs]
    counts = Counter((judged.outcome == RIGHT, theirs[id(judged.question)]) for judged in shared)
    only_one, only_other = counts[True, False], counts[False, True]
    p = mcnemar(only_one, only_other)
    return Comparison(one.model, other.model, counts[True, True], only_one, only_other, counts[False, False], p)


def mcnemar(only_one: int, only_other: int) -> float:
    """Return the p-value of the exact, two-sided test: min(1, 2 · P(X ≤ min)), X binomial over their sum with 1/2."""
    tosses, fewer = only_one + only_other, min(only_one, only_other)
    ways = accumulate(range(fewer), lambda way, k: way * (tosses - k) // (k + 1), initial=1)
    tail = sum(ways)
    return min(1.0, float(Fraction(2 * tail, 2**tosses)))


def comparisons(reports: Sequence[Report]) -> list[Comparison]:
    """Compare the first model with each of the others."""
    return [compare(reports[0], other) for other in reports[1:]]
