"""What a user may settle once for all connections: `settings.yaml` in QUACKLLM_HOME."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from ..workers.errors import SetupError
from ..workers.home import home_folder

StoreMode = Literal["on", "off", "refresh"]
Content = TypeVar("Content")


def _switch(value: object) -> object:
    """Read YAML's and SQL's booleans: `off` without quotes is false to YAML."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class StatementOptions(BaseModel):
    """What holds for one statement: each field is a SQL variable, and a key of `settings.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    llm_store: Annotated[StoreMode, BeforeValidator(_switch)] = Field("on", description="how the call store is used")
    llm_prefetch: Annotated[Literal["on", "off"], BeforeValidator(_switch)] = Field(
        "on", description="whether a statement is planned, and its requests sent before it runs"
    )
    llm_progress: Annotated[Literal["auto", "on", "off", "log"], BeforeValidator(_switch)] = Field(
        "auto", description="whether progress is shown; 'auto': in a terminal and in a notebook; 'log': as plain lines"
    )
    llm_max_calls: int | None = Field(None, ge=0, description="maximum number of calls of one statement")
    llm_max_tokens: int | None = Field(
        None, ge=0, description="maximum number of input and output tokens of one statement"
    )
    llm_max_money: float | None = Field(None, ge=0, description="maximum cost of one statement, by `prices.yaml`")
    llm_check_rows: Annotated[Literal["on", "off"], BeforeValidator(_switch)] = Field(
        "on", description="whether `text2sql` runs the SQL that a model wrote, within limits, to check its rows"
    )
    llm_min_confidence: float | None = Field(
        None, ge=0, le=1, description="below this confidence `text2sql` and `ask` decline; left out: `ask` below 0.2"
    )
    llm_accuracy: float | None = Field(
        None, gt=0, le=1, description="the share of a typed function's answers that must be the model's own"
    )
    llm_recall: float | None = Field(
        None, gt=0, le=1, description="the share of the inputs of which the model says TRUE that must be TRUE"
    )
    llm_precision: float | None = Field(
        None, gt=0, le=1, description="the share of the inputs that are TRUE of which the model must say so"
    )
    llm_confidence: float = Field(0.95, gt=0, lt=1, description="the probability that what was stated holds")
    llm_helper: str | None = Field(None, description="a smaller model that answers where it is sure")
    llm_proxy: str = Field("builtin_encoder", description="the model whose vectors a proxy learns from; 'off' for none")


class Settings(StatementOptions):
    """The keys of `settings.yaml`."""

    store_max_bytes: int = Field(
        4 << 30, ge=1 << 16, description="maximum size of the call store; the oldest answers are deleted first"
    )
    store_shards: int = Field(
        1, ge=1, le=64, description="the number of actors that share a cluster's call store; read on the head node"
    )


SETTINGS = TypeAdapter(Settings)


def load_settings() -> Settings:
    """Return the settings; the file is read again when it has changed.

    Raises:
        SetupError: the file holds an unknown key, or a value of the wrong type.
    """
    return load_yaml(home_folder() / "settings.yaml", SETTINGS, "llm_store: 'off'")


def load_yaml(path: Path, adapter: TypeAdapter[Content], example: str) -> Content:
    """Return a YAML file's content as that type; a file that is not there is read as an empty one.

    Raises:
        SetupError: it cannot be read as that.
    """
    content: Content = _read(path, path.stat().st_mtime_ns if path.is_file() else 0, adapter, example)
    return content


@lru_cache(maxsize=16)
def _read(path: Path, changed_at: int, adapter: TypeAdapter[Content], example: str) -> Content:
    import yaml  # Only those who wrote such a file wait for it.

    try:
        return adapter.validate_python((yaml.safe_load(path.read_text("utf-8")) if changed_at else None) or {})
    except (ValidationError, yaml.YAMLError) as error:
        raise SetupError(f"{path} cannot be read: {error}", hint=f"write e.g. {example}") from error
