"""Prices of tokens, from the user's `prices.yaml` in QUACKLLM_HOME."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ...workers.deployments.spec import ModelSpec
from ...workers.home import home_folder
from ...workers.messages import Usage
from ...workers.serving.fleet import BUILTIN_MODELS
from ..settings import load_yaml


class Price(BaseModel):
    """A model's price for a million tokens, in the user's currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, description="money for 1,000,000 input tokens")
    output: float = Field(ge=0, description="money for 1,000,000 output tokens")

    def cost(self, usage: Usage) -> float:
        """Return the cost of these tokens."""
        return (usage.input_tokens * self.input + usage.output_tokens * self.output) / 1e6


PRICES = TypeAdapter(dict[str, Price])


def find_price(spec: ModelSpec) -> Price | None:
    """Return the model's price; None if it is unknown. Built-in models cost nothing.

    Raises:
        SetupError: the file cannot be read.
    """
    if any(spec.type == free.type for free in BUILTIN_MODELS.values()):
        return Price(input=0, output=0)
    prices = _prices()
    return prices.get(spec.name) or prices.get(spec.type)


def add_cost(rows: list[dict[str, Any]]) -> None:
    """Add `money` to each row: the cost of its tokens, by the price of the model or its type; None if it is unknown.

    Raises:
        SetupError: the file cannot be read.
    """
    prices = _prices()
    for row in rows:
        part = row.pop("price_part", None) or 1.0
        read = row.pop("charged_input", row["input_tokens"]) or 0
        written = row.pop("charged_output", row["output_tokens"]) or 0
        price = prices.get(row["model"]) or prices.get(row["engine"])
        row["money"] = price and price.cost(Usage(read, written)) * part


def _prices() -> dict[str, Price]:
    return load_yaml(home_folder() / "prices.yaml", PRICES, "qianwen_chat: {input: 2.4, output: 9.6}")
