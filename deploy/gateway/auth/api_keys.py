"""API keys: shown once, stored as a hash with their limits, in a YAML file that may be edited by hand."""

from __future__ import annotations

import hmac
import secrets
from datetime import date
from hashlib import sha256
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ....udf.settings import load_yaml
from ....workers.atomic_files import atomic_write_text
from ....workers.errors import RequestError, did_you_mean

PREFIX = "qk-"


class Key(BaseModel):
    """One API key as the file stores it.

    A key is 256 random bits, so that one round of SHA-256 hides it: nobody can try them all, and each request
    is checked in microseconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="hash of the key; the key itself is not stored")
    made: date = Field(default_factory=date.today, description="the day the key was added")
    admin: bool = Field(False, description="whether the console shows this key all keys and the cost of all calls")
    models: tuple[str, ...] | None = Field(None, description="the models that the key may call; left out: all")
    requests_per_minute: float | None = Field(None, gt=0, description="requests per minute; more get 429")
    tokens_per_minute: float | None = Field(None, gt=0, description="input and output tokens per minute")
    most_at_once: int | None = Field(
        None, ge=1, description="maximum number of the key's requests in flight in one gateway process"
    )
    max_calls: int | None = Field(None, ge=0, description="maximum number of model calls, until `quackllm keys reset`")
    max_tokens: int | None = Field(None, ge=0, description="maximum number of tokens, until `quackllm keys reset`")
    max_money: float | None = Field(
        None, ge=0, description="maximum cost by `prices.yaml`, until `quackllm keys reset`"
    )

    @property
    def has_budget(self) -> bool:
        """Whether the key has a budget, so that costs must be reserved before each call."""
        budgets = (self.max_calls, self.max_tokens, self.max_money, self.tokens_per_minute)
        return any(budget is not None for budget in budgets)


KEYS = TypeAdapter(dict[str, Key])


def key_digest(key: str) -> str:
    """Return the hash of a key, as the file stores it."""
    return "sha256:" + sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def read_keys(path: Path) -> dict[str, Key]:
    """Return the keys of a file, by name; none if there is no file. The file is read again when it has changed.

    Raises:
        SetupError: it cannot be read.
    """
    return load_yaml(path, KEYS, "alice: {hash: 'sha256:…', max_calls: 1000}")


def find_key(keys: dict[str, Key], digest: str) -> str | None:
    """Return the name of the key with that digest, or None; always takes the same time, against timing attacks."""
    found = None
    for name, key in keys.items():
        if hmac.compare_digest(key.hash, digest):
            found = name
    return found


def add_key(path: Path, name: str, **limits: object) -> str:
    """Create a key and store its hash; return the key, which cannot be shown again.

    Raises:
        RequestError: the name is taken.
        SetupError: the file cannot be read.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    with _locked(path):
        keys = read_keys(path)
        if name in keys:
            raise RequestError(f"a key is called {name!r} already", hint=f"type: quackllm keys remove {name}")
        given = {limit: value for limit, value in limits.items() if value is not None}
        _write(path, {**keys, name: Key.model_validate({"hash": key_digest(key), **given})})
    return key


def remove_key(path: Path, name: str) -> None:
    """Remove a key from the file; it is refused from then on.

    Raises:
        RequestError: no key has that name.
    """
    with _locked(path):
        keys = read_keys(path)
        if name not in keys:
            raise RequestError(f"no key is called {name!r}", hint=did_you_mean(name, keys))
        _write(path, {stored: key for stored, key in keys.items() if stored != name})


def _locked(path: Path) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(path.name + ".lock"), mode=0o600)


def _write(path: Path, keys: dict[str, Key]) -> None:
    import yaml

    entries = {name: key.model_dump(mode="json", exclude_none=True) for name, key in keys.items()}
    atomic_write_text(path, yaml.safe_dump(entries, allow_unicode=True, sort_keys=False), mode=0o600)
