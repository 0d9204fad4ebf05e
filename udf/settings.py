"""What a user may settle once for all connections: `settings.yaml` in QUACKLLM_HOME."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..workers.errors import SetupError
from ..workers.home import home

StoreMode = Literal["on", "off", "refresh"]
Content = TypeVar("Content")


class Settings(BaseModel):
    """The keys of `settings.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    llm_store: StoreMode = Field("on", description="what holds where the SQL variable of that name is not set")
    store_max_bytes: int = Field(4 << 30, ge=1 << 16, description="above it the oldest answers of the call store go")


SETTINGS = TypeAdapter(Settings)


def settings() -> Settings:
    """Return the settings; the file is read again when it has changed.

    Raises:
        SetupError: the file holds an unknown key, or a value of the wrong type.
    """
    return read_yaml(home() / "settings.yaml", SETTINGS, "llm_store: 'off'")


def read_yaml(path: Path, kind: TypeAdapter[Content], example: str) -> Content:
    """Return a YAML file's content as that type; a file that is not there is read as an empty one.

    Raises:
        SetupError: it cannot be read as that.
    """
    content: Content = _read(path, path.stat().st_mtime_ns if path.is_file() else 0, kind, example)
    return content


@lru_cache(maxsize=16)
def _read(path: Path, changed_at: int, kind: TypeAdapter[Content], example: str) -> Content:
    import yaml  # Only those who wrote such a file wait for it.

    try:
        return kind.validate_python((yaml.safe_load(path.read_text("utf-8")) if changed_at else None) or {})
    except (ValidationError, yaml.YAMLError) as error:
        raise SetupError(f"{path} cannot be read: {error}", hint=f"write e.g. {example}") from error
