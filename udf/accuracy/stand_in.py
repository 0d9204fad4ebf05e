"""What stands in for a model's answer, and the report of what was promised and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

By = Literal["helper", "proxy"]


@dataclass(frozen=True, slots=True)
class StandIn:
    """An answer that the model did not give.

    Args:
        value: as JSON has it.
        by: who gave it.
        probability: how sure of it that one is.
    """

    value: Any
    by: By
    probability: float


@dataclass
class AccuracyReport:
    """What was promised for one call of a statement, and what came of it; a row of `FROM ai_accuracy()`.

    Args:
        model: the model whose answers are the measure.
        function: that calls it, as SQL names it.
        question: what is asked, as JSON.
        accuracy, recall, precision, confidence: what was stated.
        inputs: distinct requests.
        by_model: of these, how many the model has answered, for this statement or before.
        by_helper, by_proxy: how many were answered by these.
        sampled: how many of the model's answers were a random sample that the promise rests on.
        estimated_accuracy, estimated_recall, estimated_precision: of all answers, from the sample; 1 where the model
            answered all of them.
        reason: why the model answered all of them, or by what the others were answered.
    """

    model: str
    function: str
    question: str
    accuracy: float | None
    recall: float | None
    precision: float | None
    confidence: float
    inputs: int = 0
    by_model: int = 0
    by_helper: int = 0
    by_proxy: int = 0
    sampled: int = 0
    estimated_accuracy: float | None = None
    estimated_recall: float | None = None
    estimated_precision: float | None = None
    reason: str = ""
