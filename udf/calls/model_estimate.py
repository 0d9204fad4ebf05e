"""What a statement would send: to each model, and by each of its calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...workers.messages import Request


@dataclass(slots=True)
class ModelEstimate:
    """The estimated calls of a statement to one model.

    Args:
        model: the model's name.
        rows: rows on which the model is called.
        calls: distinct requests among them.
        known: requests whose answer is cached already.
        to_ask: requests that would be sent; of a question to text2sql the first, which may need repairs.
        input_tokens, output_tokens: estimated tokens of `to_ask`.
        money: their cost by `prices.yaml`; None if it has no price.
        at_most: whether the statement may send fewer requests, because they depend on other answers.
    """

    model: str
    rows: int = 0
    calls: int = 0
    known: int = 0
    to_ask: int = 0
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    money: float | None = None
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class CallStep:
    """One call of a statement.

    Args:
        step: calls of the same step are sent together; a later step depends on the answers of earlier ones.
        function: what SQL calls it.
        expression: the call as the statement has it; None where it stands in a view or a macro.
        estimate: its model and numbers.
        selectivity: the part of the cached answers that are yes; None where no answer is cached, or it is no condition.
        guarantee: the fields of what is stated about the accuracy of its answers; empty where nothing is.
        hint: what to type to make fewer calls; None where nothing is known.
    """

    step: int
    function: str | None
    expression: str | None
    estimate: ModelEstimate
    selectivity: float | None
    guarantee: Mapping[str, float | None]
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """A request that a statement needs.

    Args:
        model: the model's name.
        request: what is sent.
        is_cached: whether its answer is cached, so that nothing is sent.
    """

    model: str
    request: Request
    is_cached: bool
