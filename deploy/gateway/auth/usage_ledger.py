"""The ledger: which key may ask now, and what each has spent. One for all gateways of a machine, or of a cluster."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from .api_keys import Key, find_key, read_keys

LAYOUT = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS spent (
    name TEXT PRIMARY KEY, calls INTEGER NOT NULL, tokens INTEGER NOT NULL, money REAL NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a key has spent, or what one request did."""

    calls: int = 0
    tokens: int = 0
    money: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not admitted, for the client's error."""

    status: int
    code: str
    message: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """A request is admitted: under which key, and what that key has spent before it."""

    name: str
    key: Key
    spent: Cost


class Bucket:
    """A rate: a minute's worth may be taken at once, then it fills again steadily; it may go below empty."""

    def __init__(self, per_minute: float) -> None:
        self.size = self._level = max(1.0, per_minute)
        self._each_second = per_minute / 60
        self._at = monotonic()

    def take(self, amount: float) -> None:
        """Take so much out."""
        self._level, self._at = self._now() - amount, monotonic()

    def seconds_until_one(self) -> float:
        """Return how long until one can be taken."""
        return max(0.0, (1 - self._now()) / self._each_second)

    def _now(self) -> float:
        return min(self.size, self._level + (monotonic() - self._at) * self._each_second)


class Ledger:
    """Reads the keys' file and keeps what was spent in a file of its own.

    Args:
        keys: the keys' file; read again when it has changed.
        file: what was spent.
    """

    def __init__(self, keys: Path, file: Path) -> None:
        self.path = keys
        self._file = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
        self._file.executescript(LAYOUT)
        self._buckets: dict[tuple[str, str, float], Bucket] = {}

    def admit(self, digest: str | None) -> Pass | Refusal | None:
        """Return under which key a request goes on, or why it does not; None where there are no keys at all.

        Args:
            digest: of the key that the client showed; None: it showed none.

        Raises:
            SetupError: the keys' file cannot be read.
        """
        keys = read_keys(self.path)
        if not keys:
            return None
        if digest is None:
            return Refusal(401, "missing_api_key", "no API key was sent; write the header Authorization: Bearer KEY")
        name = find_key(keys, digest)
        if name is None:
            return Refusal(401, "invalid_api_key", "this API key is not known here")
        key, spent = keys[name], self.spent(name)
        return _over_budget(name, key, spent) or self._too_fast(name, key) or Pass(name, key, spent)

    def _too_fast(self, name: str, key: Key) -> Refusal | None:
        requests = self._bucket(name, "requests", key.requests_per_minute)
        tokens = self._bucket(name, "tokens", key.tokens_per_minute)
        for unit, bucket in (("requests", requests), ("tokens", tokens)):
            if bucket and (pause := bucket.seconds_until_one()):
                message = f"the key {name} has used its {unit} of this minute; come back in {pause:.1f} s"
                return Refusal(429, "rate_limit_exceeded", message, pause)
        if requests:
            requests.take(1)
        return None

    def _bucket(self, name: str, unit: str, per_minute: float | None) -> Bucket | None:
        return self._buckets.setdefault((name, unit, per_minute), Bucket(per_minute)) if per_minute else None

    def charge(self, name: str, key: Key, cost: Cost) -> None:
        """Count what a request under that key has cost."""
        if tokens := self._bucket(name, "tokens", key.tokens_per_minute):
            tokens.take(cost.tokens)
        if cost != Cost():
            self._file.execute(
                "INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "calls = calls + excluded.calls, tokens = tokens + excluded.tokens, money = money + excluded.money",
                (name, cost.calls, cost.tokens, cost.money),
            )

    def spent(self, name: str) -> Cost:
        """Return what the key has spent since it was made or reset."""
        row = self._file.execute("SELECT calls, tokens, money FROM spent WHERE name = ?", (name,)).fetchone()
        return Cost(*row) if row else Cost()

    def reset(self, name: str) -> None:
        """Forget what the key has spent."""
        self._file.execute("DELETE FROM spent WHERE name = ?", (name,))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _over_budget(name: str, key: Key, spent: Cost) -> Refusal | None:
    budgets = (
        ("calls", key.max_calls, spent.calls),
        ("tokens", key.max_tokens, spent.tokens),
        ("of money", key.max_money, spent.money),
    )
    for unit, most, used in budgets:
        if most is not None and used >= most:
            message = f"the key {name} has spent {used:,.12g} {unit} of the {most:,.12g} that it was given"
            return Refusal(429, "insufficient_quota", message)
    return None
