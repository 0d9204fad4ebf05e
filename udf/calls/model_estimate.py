"""The estimated calls of a statement to one model."""

from __future__ import annotations

from dataclasses import dataclass


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
