"""One shard of a cluster's call store: a `CallStore` that serves the keys of some slots, and gives slots away."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from ...workers.home import home_folder
from ...workers.messages import Response
from ..settings import load_settings
from .call_record import CallRecord
from .call_store import CALL_COLUMNS, CallStore
from .request_key import Key
from .slots import MAX_SHARDS, SLOTS, MovedError, StoreLayout
from .store_file import has_table

MOVED_ROWS = 1000  # Rows of one step of a move, during which the shard answers nobody else.
AnswerRow: TypeAlias = tuple[Key, str, float, bytes]
LeaseRow: TypeAlias = tuple[Key, str]
CallRow: TypeAlias = tuple[Any, ...]
# Beside the tables of every call store: the slots that are not served here, in each shard; and in shard 0, which shard
# has each slot, and which shards there are.
TABLES = (
    "CREATE TABLE slots_elsewhere (slot INTEGER PRIMARY KEY)",
    "CREATE TABLE slots (slot INTEGER PRIMARY KEY, shard INTEGER NOT NULL)",
    "CREATE TABLE shards (number INTEGER PRIMARY KEY)",
)


class StoreShard(CallStore):
    """A shard of the call store, in the file `calls.sqlite` (shard 0) or `calls-NUMBER.sqlite` in QUACKLLM_HOME.

    A slot moves in five steps, each of which is written to a file before the next begins: the source refuses its keys
    (`freeze`), its answers and leases are copied (`export_answers`, `import_answers`), shard 0 writes down the new
    shard (`assign`), which now serves the slot (`serve`), and the source deletes its copies (`drop_step`).

    Args:
        number: this shard's number.

    Raises:
        StoreError: as `CallStore` does.
    """

    _elsewhere: frozenset[int] = frozenset()

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self._last_call_id = 0
        super().__init__(home_folder() / (f"calls-{number}.sqlite" if number else "calls.sqlite"), leases_written=True)
        if not self._file.read_only:
            self._make_tables()
            with self._file.transaction():
                self._leases.see_all()
        if has_table(self._connection, "slots_elsewhere"):
            self._elsewhere = frozenset(slot for (slot,) in self._connection.execute("SELECT * FROM slots_elsewhere"))
        self._set_size_limit()

    def _make_tables(self) -> None:
        with self._file.transaction() as connection:
            if has_table(connection, "slots"):
                return
            for statement in TABLES:
                connection.execute(statement)
            connection.executemany("INSERT INTO slots VALUES (?, 0)", [(slot,) for slot in range(SLOTS)])
            connection.execute("INSERT INTO shards VALUES (0)")
            if self.number:
                connection.execute("INSERT INTO slots_elsewhere SELECT slot FROM slots")

    def _set_size_limit(self) -> None:
        """Let this file take its part of what the whole store may take."""
        self.max_bytes = load_settings().store_max_bytes * (SLOTS - len(self._elsewhere)) // SLOTS

    def _recover(self) -> None:
        """As `CallStore`: what a killed process of this machine received may belong to any slot."""
        elsewhere, self._elsewhere = self._elsewhere, frozenset()
        try:
            super()._recover()
        finally:
            self._elsewhere = elsewhere

    def _check(self, keys: Iterable[Key]) -> None:
        if self._elsewhere and not self._elsewhere.isdisjoint([key[0] for key in keys]):
            raise MovedError(f"the shard {self.number} of the call store does not have these keys")

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Response]:
        """Return the stored answers.

        Raises:
            MovedError: a key is on another shard.
        """
        self._check(keys)
        return super().get_many(keys)

    def claim(self, keys: Sequence[Key], owner: str) -> set[Key]:
        """Take leases.

        Raises:
            MovedError: a key is on another shard; no lease was taken.
        """
        self._check(keys)
        return super().claim(keys, owner)

    def release(self, keys: Sequence[Key], owner: str) -> None:
        """Return leases.

        Raises:
            MovedError: a key is on another shard; no lease was returned.
        """
        self._check(keys)
        super().release(keys, owner)

    def record(self, calls: Sequence[CallRecord], owner: str) -> None:
        """Record calls and answers.

        Raises:
            MovedError: a key is on another shard; nothing was recorded.
        """
        self._check(call.key for call in calls)
        super().record(calls, owner)

    def _call_ids(self, count: int) -> Sequence[int | None]:
        """Return ids that ascend with time over all shards, and that no other shard gives, once there are several."""
        if not self._elsewhere:
            return super()._call_ids(count)
        now = int(time.time() * 1e6)
        first = max(now, self._last_call_id + 1)
        self._last_call_id = first + count - 1
        return [(first + number) * MAX_SHARDS + self.number for number in range(count)]

    # What shard 0 knows of all shards.

    def layout(self) -> StoreLayout:
        """Return which shard has which slots, and how many shards the settings of this machine ask for."""
        if not has_table(self._connection, "slots"):  # A file that cannot be written.
            return StoreLayout(bytes(SLOTS), 1, 1)
        slots = bytes(shard for (shard,) in self._connection.execute("SELECT shard FROM slots ORDER BY slot"))
        (shards,) = self._connection.execute("SELECT count(*) FROM shards").fetchone()
        return StoreLayout(slots, shards, load_settings().store_shards)

    def assign(self, slot: int, shard: int) -> None:
        """Write down which shard has the slot."""
        with self._file.transaction() as connection:
            connection.execute("UPDATE slots SET shard = ? WHERE slot = ?", (shard, slot))

    def add_shard(self, number: int) -> None:
        """Write down that there is a shard of this number."""
        with self._file.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO shards VALUES (?)", (number,))

    def remove_shard(self, number: int) -> None:
        """Write down that this shard is empty and no longer used."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM shards WHERE number = ?", (number,))

    # The steps of a move.

    def serve(self, slots: Sequence[int]) -> None:
        """Serve exactly these slots from now on, and no others."""
        with self._file.transaction():
            self._serve(frozenset(range(SLOTS)) - frozenset(slots))
        self._set_size_limit()

    def freeze(self, slot: int) -> None:
        """Refuse the keys of this slot from now on."""
        with self._file.transaction():
            self._serve(self._elsewhere | {slot})

    def _serve(self, elsewhere: frozenset[int]) -> None:
        self._connection.execute("DELETE FROM slots_elsewhere")
        self._connection.executemany("INSERT INTO slots_elsewhere VALUES (?)", [(slot,) for slot in elsewhere])
        self._elsewhere = elsewhere

    def export_answers(self, slot: int, after: Key) -> list[AnswerRow]:
        """Return the next answers of a slot, in the order of their keys.

        Args:
            slot: which.
            after: the last key that was read; b"" at first.
        """
        low, high = _key_range(slot)
        return self._connection.execute(
            "SELECT key, name, stored_at, answer FROM answers JOIN models ON models.id = model "
            f"WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT {MOVED_ROWS}",
            (after, low, high),
        ).fetchall()

    def import_answers(self, rows: Sequence[AnswerRow]) -> None:
        """Store answers that another shard exported, in place of any that are here."""
        with self._file.transaction() as connection:
            models = {name: self._model(name) for name in {name for _, name, _, _ in rows}}
            connection.executemany(
                "INSERT OR REPLACE INTO answers (key, model, stored_at, answer) VALUES (?, ?, ?, ?)",
                [(key, models[name], at, answer) for key, name, at, answer in rows],
            )

    def export_leases(self, slot: int) -> list[LeaseRow]:
        """Return the keys of a slot that somebody has a lease on, each with its owner."""
        find = "SELECT key, owner FROM leases WHERE key >= ? AND key < ?"
        return self._connection.execute(find, _key_range(slot)).fetchall()

    def import_leases(self, rows: Sequence[LeaseRow]) -> None:
        """Hold the leases that another shard exported; each owner has the whole time to renew them."""
        with self._file.transaction():
            self._leases.take_over(rows)

    def drop_step(self) -> int:
        """Delete some answers and leases of slots that other shards have; return how many, 0 at the end."""
        with self._file.transaction() as connection:
            for slot in self._elsewhere:
                connection.execute("DELETE FROM leases WHERE key >= ? AND key < ?", _key_range(slot))
                some = f"SELECT id FROM answers WHERE key >= ? AND key < ? LIMIT {MOVED_ROWS}"
                if gone := connection.execute(f"DELETE FROM answers WHERE id IN ({some})", _key_range(slot)).rowcount:
                    return gone
        self._set_size_limit()
        return 0

    def export_calls(self) -> list[CallRow]:
        """Return the oldest call records, whose last two fields are texts."""
        context, statement = (f"(SELECT messages FROM contexts WHERE id = {name})" for name in CALL_COLUMNS[-2:])
        columns = ", ".join((*CALL_COLUMNS[:-2], context, statement))
        return self._connection.execute(f"SELECT {columns} FROM calls ORDER BY id LIMIT {MOVED_ROWS}").fetchall()

    def import_calls(self, rows: Sequence[CallRow]) -> None:
        """Take over call records with their ids, so that to take the same ones twice does no harm."""
        with self._file.transaction() as connection:
            texts = {text: self._shared_text(text) for row in rows for text in row[-2:] if text}
            connection.executemany(
                f"INSERT OR REPLACE INTO calls ({', '.join(CALL_COLUMNS)}) "
                f"VALUES ({', '.join('?' * len(CALL_COLUMNS))})",
                [(*row[:-2], *(texts.get(text) for text in row[-2:])) for row in rows],
            )

    def drop_calls(self, last: int) -> None:
        """Delete the call records up to this id: another shard has them."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM calls WHERE id <= ?", (last,))


def _key_range(slot: int) -> tuple[bytes, bytes]:
    """Return the first key of a slot, and one that is greater than all its keys."""
    return bytes([slot]), bytes([slot + 1]) if slot + 1 < SLOTS else b"\xff" * 32
