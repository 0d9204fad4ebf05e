"""The ledger: which key is admitted now, and what each has spent. One for all gateways of a machine or cluster."""

from __future__ import annotations

import math
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psutil

from ....workers.home import touch_private
from .api_keys import Key, find_key, read_keys

SCHEMA = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS spent (
    name TEXT PRIMARY KEY, calls INTEGER NOT NULL, tokens INTEGER NOT NULL, money REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved (
    name TEXT, process TEXT, calls INTEGER NOT NULL, tokens INTEGER NOT NULL, money REAL NOT NULL,
    PRIMARY KEY (name, process)) WITHOUT ROWID;
"""

_TOKEN = secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a key, or one request, has spent."""

    calls: int = 0
    tokens: int = 0
    money: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Return the sum."""
        return Cost(self.calls + other.calls, self.tokens + other.tokens, self.money + other.money)

    def __neg__(self) -> Cost:
        """Return the negative of this cost."""
        return Cost(-self.calls, -self.tokens, -self.money)


NOTHING = Cost()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why a request is not admitted, for the client's error."""

    status: int
    code: str
    message: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """An admitted request, and the name of its key."""

    name: str
    key: Key


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a request may spend now.

    Args:
        reserved: what was reserved for it; fewer calls than it wanted if fewer are left.
        tokens: what is left of the key's tokens, for all of its requests; None: no token budget.
        money: the same for its money.
    """

    reserved: Cost
    tokens: int | None = None
    money: float | None = None


class TokenBucket:
    """A rate limit: one minute's worth may be taken at once, then it refills steadily; the balance may be negative."""

    def __init__(self, per_minute: float) -> None:
        self.size = self._level = max(1.0, per_minute)
        self._each_second = per_minute / 60
        self._at = monotonic()

    def take(self, amount: float) -> None:
        """Take an amount out."""
        self._level, self._at = self._now() - amount, monotonic()

    def seconds_until_one(self) -> float:
        """Return the time until one can be taken, in seconds."""
        return max(0.0, (1 - self._now()) / self._each_second)

    def _now(self) -> float:
        return min(self.size, self._level + (monotonic() - self._at) * self._each_second)


class Ledger:
    """Reads the keys' file, and stores what was spent in its own file.

    Args:
        keys: the keys' file; read again when it has changed.
        file: the SQLite file for what was spent.
    """

    def __init__(self, keys: Path, file: Path) -> None:
        self.path = keys
        touch_private(file)
        self._file = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
        self._file.executescript(SCHEMA)
        self._buckets: dict[tuple[str, str, float], TokenBucket] = {}
        self._process = _process_name()

    def admit(self, digest: str | None) -> Admission | Refusal | None:
        """Return the key that admits a request, or the reason for refusing it; None if no keys exist.

        Args:
            digest: of the key that the client sent; None: it sent none.

        Raises:
            SetupError: the keys' file cannot be read.
        """
        found = self.identify(digest)
        if not isinstance(found, Admission):
            return found
        over_budget = _over_budget(found.name, found.key, self.usage_of_key(found.name))
        return over_budget or self._too_fast(found.name, found.key) or found

    def identify(self, digest: str | None) -> Admission | Refusal | None:
        """Return whose key that is, whatever it has left to spend: for requests that call no model; see `admit`."""
        keys = read_keys(self.path)
        if not keys:
            return None
        if digest is None:
            return Refusal(401, "missing_api_key", "no API key was sent; write the header Authorization: Bearer KEY")
        name = find_key(keys, digest)
        if name is None:
            return Refusal(401, "invalid_api_key", "this gateway does not know this API key")
        return Admission(name, keys[name])

    def _too_fast(self, name: str, key: Key) -> Refusal | None:
        requests = self._bucket(name, "requests", key.requests_per_minute)
        refusal = _empty(name, "requests", requests) or self._too_many_tokens(name, key)
        if requests and not refusal:
            requests.take(1)
        return refusal

    def _too_many_tokens(self, name: str, key: Key) -> Refusal | None:
        return _empty(name, "tokens", self._bucket(name, "tokens", key.tokens_per_minute))

    def _bucket(self, name: str, unit: str, per_minute: float | None) -> TokenBucket | None:
        return self._buckets.setdefault((name, unit, per_minute), TokenBucket(per_minute)) if per_minute else None

    def reserve(self, name: str, key: Key, wanted: Cost) -> Allowance | Refusal:
        """Reserve what calls may cost before they are made, so that concurrent requests share one budget.

        Args:
            name: whose budget.
            key: what it may spend.
            wanted: the calls, and a guess of what they cost.
        """
        with self._transaction():
            reserved = self.reserved(name)
            used = self.usage_of_key(name) + reserved
            if refusal := _over_budget(name, key, used, reserved) or self._too_many_tokens(name, key):
                return refusal
            granted = _granted(key, used, wanted)
            self._add("reserved (name, process, calls, tokens, money)", (name, self._process), granted)
        self._take_tokens(name, key, granted.tokens)
        tokens = None if key.max_tokens is None else key.max_tokens - used.tokens
        return Allowance(granted, tokens, None if key.max_money is None else key.max_money - used.money)

    def charge(self, name: str, key: Key, cost: Cost, reserved: Cost = NOTHING) -> None:
        """Book what a request under that key has cost, and release what was reserved for it.

        Args:
            name: whose budget.
            key: what it may spend.
            cost: what the request's calls have cost.
            reserved: what was reserved for them.
        """
        self._take_tokens(name, key, cost.tokens - reserved.tokens)
        if cost == reserved == NOTHING:
            return
        with self._transaction():
            self._add("spent (name, calls, tokens, money)", (name,), cost)
            self._add("reserved (name, process, calls, tokens, money)", (name, self._process), -reserved)

    def _take_tokens(self, name: str, key: Key, count: int) -> None:
        if bucket := self._bucket(name, "tokens", key.tokens_per_minute):
            bucket.take(count)

    def _add(self, table: str, whose: tuple[str, ...], cost: Cost) -> None:
        values = (*whose, cost.calls, cost.tokens, cost.money)
        placeholders = ", ".join("?" * len(values))
        self._file.execute(
            f"INSERT INTO {table} VALUES ({placeholders}) ON CONFLICT DO UPDATE SET "
            "calls = calls + excluded.calls, tokens = tokens + excluded.tokens, money = money + excluded.money",
            values,
        )

    def reserved(self, name: str) -> Cost:
        """Return what is reserved for requests in flight; reservations of killed gateways do not count."""
        rows = self._file.execute(
            "SELECT process, calls, tokens, money FROM reserved WHERE name = ?", (name,)
        ).fetchall()
        reserved = NOTHING
        for process, *amounts in rows:
            if _runs(process):
                reserved += Cost(*amounts)
            else:
                self._file.execute("DELETE FROM reserved WHERE process = ?", (process,))
        return reserved

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Lock the file, so that no other gateway of this machine writes between our read and our write."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def keys(self) -> dict[str, tuple[Key, Cost]]:
        """Return every key with what it has spent, by name.

        Raises:
            SetupError: the keys' file cannot be read.
        """
        return {name: (key, self.usage_of_key(name)) for name, key in read_keys(self.path).items()}

    def usage_of_key(self, name: str) -> Cost:
        """Return what the key has spent since it was made or reset."""
        row = self._file.execute("SELECT calls, tokens, money FROM spent WHERE name = ?", (name,)).fetchone()
        return Cost(*row) if row else NOTHING

    def reset(self, name: str) -> None:
        """Set what the key has spent to zero."""
        self._file.execute("DELETE FROM spent WHERE name = ?", (name,))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _over_budget(name: str, key: Key, used: Cost, reserved: Cost = NOTHING) -> Refusal | None:
    budgets = (
        ("calls", key.max_calls, used.calls, reserved.calls),
        ("tokens", key.max_tokens, used.tokens, reserved.tokens),
        ("money", key.max_money, used.money, reserved.money),
    )
    for unit, limit, total, in_flight in budgets:
        if limit is not None and total >= limit:
            if total - in_flight >= limit:
                message = f"the key {name} has used its budget: {total - in_flight:,.12g} of {limit:,.12g} {unit}"
                return Refusal(429, "insufficient_quota", message)
            left = f"{limit - total + in_flight:,.12g} {unit}"
            message = f"requests in flight may use what is left of the budget of the key {name}: {left}"
            return Refusal(429, "insufficient_quota", message, 1.0)
    return None


def _granted(key: Key, used: Cost, wanted: Cost) -> Cost:
    """Return the part of the wanted cost that the budgets allow; at least one call, which may exceed them slightly."""
    calls = wanted.calls
    budgets = (
        (key.max_calls, used.calls, wanted.calls),
        (key.max_tokens, used.tokens, wanted.tokens),
        (key.max_money, used.money, wanted.money),
    )
    for limit, total, amount in budgets:
        if limit is not None and amount > 0:
            calls = min(calls, max(1, math.ceil((limit - total) * wanted.calls / amount)))
    share = calls / wanted.calls
    return Cost(calls, math.ceil(wanted.tokens * share), wanted.money * share)


def _empty(name: str, unit: str, bucket: TokenBucket | None) -> Refusal | None:
    if bucket and (pause := bucket.seconds_until_one()):
        message = f"the key {name} has used its {unit} of this minute; retry in {pause:.1f} s"
        return Refusal(429, "rate_limit_exceeded", message, pause)
    return None


def _process_name() -> str:
    """Return a unique name of this process; in a container a restarted process has the same process id."""
    return f"{os.getpid()}:{_TOKEN}"


def _runs(process: str) -> bool:
    number = int(process.partition(":")[0])
    return process == _process_name() or (number != os.getpid() and psutil.pid_exists(number))
