"""What tokens cost: a table that the user writes, `prices.yaml` in QUACKLLM_HOME."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..workers.errors import SetupError
from ..workers.home import home


class Price(BaseModel):
    """What a model takes for a million tokens, in the user's own currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, description="money for 1,000,000 input tokens")
    output: float = Field(ge=0, description="money for 1,000,000 output tokens")


def price_of(row: dict[str, Any]) -> float | None:
    """Return the money for a row's tokens by its model's name, else by its type; None where no price is known."""
    path = home() / "prices.yaml"
    prices = _read(path, path.stat().st_mtime_ns) if path.is_file() else {}
    price = prices.get(row["model"]) or prices.get(row["engine"])
    if price is None:
        return None
    return ((row["input_tokens"] or 0) * price.input + (row["output_tokens"] or 0) * price.output) / 1e6


@lru_cache(maxsize=1)
def _read(path: Path, _changed_at: int) -> dict[str, Price]:
    try:
        return {name: Price(**price) for name, price in (yaml.safe_load(path.read_text("utf-8")) or {}).items()}
    except (ValidationError, TypeError, yaml.YAMLError) as error:
        raise SetupError(
            f"{path} cannot be read: {error}", hint="write e.g. qianwen_chat: {input: 2.4, output: 9.6}"
        ) from error
