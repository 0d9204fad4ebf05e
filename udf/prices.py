"""What tokens cost: a table that the user writes, `prices.yaml` in QUACKLLM_HOME."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ..workers.home import home
from .settings import read_yaml


class Price(BaseModel):
    """What a model takes for a million tokens, in the user's own currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, description="money for 1,000,000 input tokens")
    output: float = Field(ge=0, description="money for 1,000,000 output tokens")


PRICES = TypeAdapter(dict[str, Price])


def add_money(rows: list[dict[str, Any]]) -> None:
    """Add `money` to each row: its tokens' price by its model's name, else by its type; None where none is known.

    Raises:
        SetupError: the file cannot be read.
    """
    prices = read_yaml(home() / "prices.yaml", PRICES, "qianwen_chat: {input: 2.4, output: 9.6}")
    for row in rows:
        row["money"] = _money(row, prices.get(row["model"]) or prices.get(row["engine"]))


def _money(row: dict[str, Any], price: Price | None) -> float | None:
    if price is None:
        return None
    return ((row["input_tokens"] or 0) * price.input + (row["output_tokens"] or 0) * price.output) / 1e6
