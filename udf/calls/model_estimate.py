"""What a statement would ask of one model, before it is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ModelEstimate:
    """What a statement would ask of one model.

    Args:
        model: its name.
        rows: rows on which it is called.
        calls: distinct requests among them.
        known: those whose answer is known already.
        to_ask: those that would be asked.
        input_tokens, output_tokens: of these, estimated; None for questions to text2sql.
        money: by the user's price table; None where it has no price.
        at_most: whether the statement may ask less, because what it asks depends on other answers.
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
