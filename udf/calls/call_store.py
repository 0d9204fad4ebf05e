"""The call store: every complete answer under the hash of its request, in one SQLite file, so that it is paid once."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ...workers.home import home_folder
from ...workers.messages import Response
from ..settings import load_settings
from .call_record import CallRecord
from .lease_table import LeaseTable
from .migration import get_many_v0, migrate_answers
from .request_key import Key
from .store_file import LATER, SCHEMA_VERSION, StoreFile, cannot_write, later_columns
from .stored_answer import DamagedAnswerError, decode_answer, encode_answer
from .write_ahead_log import abandoned_calls

LOG = logging.getLogger("quackllm")
LOOKUP_SIZES = (1, 64, 1024)  # Numbers of keys in one look-up: only a few, so that SQLite reuses prepared statements.
TRIM_SECONDS = 0.05  # If the file is too large, `record` spends about this long on deleting.
SCANNED_ROWS, DELETED_ROWS = 20_000, 250  # Maximum rows that one step of a deletion reads, and deletes.
PAUSE_SECONDS = 0.02  # Pause between two steps: a process that waits for SQLite's lock retries every 1 to 100 ms.
CALL_COLUMNS = (
    *("id", "at", "model", "engine", "prompt", "finish_reason", "code", "input_tokens", "output_tokens", "seconds"),
    *("request_id", "function", "price_part", "context", "statement"),
)
SHRINK_TO = 0.9  # A file that is too large shrinks to this part of its limit, so that not every new answer deletes one.


@dataclass(frozen=True, slots=True)
class Deletion:
    """The progress of a deletion, which goes through both tables in steps.

    Args:
        model: only rows of this model are deleted; None: of all models.
        before: only rows of this time or older are deleted, in seconds since 1970.
        table: 'answers', then 'calls'.
        after: the last id that was read.
        forgotten: the number of answers deleted so far.
        shard: which part of the store is read, if it has several.
        slots: which shard had which keys when the deletion began there.
    """

    model: str | None
    before: float
    table: str = "answers"
    after: int = 0
    forgotten: int = 0
    shard: int = 0
    slots: bytes = b""


class CallStore:
    """The store in one file. One thread of a process uses it at a time; several processes may share the file.

    Args:
        path: the file, on a local disk. None: `calls.sqlite` in QUACKLLM_HOME.
        max_bytes: if the file grows larger, the oldest answers are deleted. None: the value in `settings.yaml`.
        clock: monotonic seconds, the same for all processes of this machine; it times the leases.
        leases_written: True if drivers on other machines share this object, so that leases must be in the file.

    Raises:
        StoreError: the file cannot be opened, is not a call store, was written by a newer release, or is on a network
            disk.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        max_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        leases_written: bool = False,
    ) -> None:
        self.path = path or home_folder() / "calls.sqlite"
        self.max_bytes = max_bytes or load_settings().store_max_bytes
        self._file = StoreFile(self.path)
        self._connection = self._file.connection
        self._leases = LeaseTable(self._connection, clock, leases_written)
        self._warned: set[str] = set()
        if not self._file.read_only:
            migrate_answers(self._file)
            self._recover()

    def _recover(self) -> None:
        """Store the answers that killed processes received but did not commit.

        If the file cannot be written, the answers stay where they are.
        """
        with contextlib.suppress(sqlite3.OperationalError), abandoned_calls(self.path) as (calls, dead):
            stored = self.get_many([call.key for call in calls])
            if fresh := [call for call in calls if call.key not in stored]:
                self.record(fresh, f"recovery by process {os.getpid()}")
            if dead:
                with self._file.transaction():
                    self._leases.forget_owners(dead)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Response]:
        """Return the stored answers, by key; the caller adds history and model."""
        found: dict[Key, Response] = {}
        damaged = 0
        for key, response in self._stored(keys):
            if response is None:
                damaged += 1
            else:
                found[key] = response
        if damaged:
            self._warn_once(
                "damaged",
                f"{damaged} answers in the call store {self.path} are damaged: quackllm calls the model again for them",
            )
        return found

    def _stored(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Response | None]]:
        if self._file.version < SCHEMA_VERSION:
            yield from get_many_v0(self._connection, keys)
            return
        for part in _parts(keys):
            marks = ", ".join("?" * len(part))
            rows = self._connection.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", part)
            for key, answer in rows:
                try:
                    yield key, decode_answer(key, answer)
                except DamagedAnswerError:
                    yield key, None

    def claim(self, keys: Sequence[Key], owner: str) -> set[Key]:
        """Take a lease on each key that has no answer and that no other living owner holds; return those keys.

        Another process may have stored an answer, and returned its lease, since the caller looked the key up. Answers
        that a killed owner had received are stored first. If the file cannot be written, all keys are returned: sending
        a request twice is better than not at all.
        """
        if self._file.read_only:
            return set(keys)
        try:
            if self._leases.has_dead_owners():
                self._recover()
            with self._file.transaction():
                stored = self.get_many(keys)
                return self._leases.claim([key for key in keys if key not in stored], owner)
        except sqlite3.OperationalError as error:
            if not cannot_write(error):
                raise
            return set(keys)

    def heartbeat(self, owner: str) -> None:
        """Renew the owner's leases."""
        with self._file.transaction():
            self._leases.see(owner)

    def release(self, keys: Sequence[Key], owner: str) -> None:
        """Return leases without an answer."""
        with self._file.transaction():
            self._leases.release(keys, owner)

    def record(self, calls: Sequence[CallRecord], owner: str) -> None:
        """Record the calls, store the complete answers and release the owner's leases, in one transaction."""
        now = time.time()
        rows = (self._row(call, now) for call in calls if call.response.is_complete)
        answers = sorted(row for row in rows if row)  # Sorted: neighbouring keys in the index are written together.
        with self._file.transaction():
            models = {name: self._model(name) for name in {call.model for call in calls}}
            self._connection.executemany(
                "INSERT OR REPLACE INTO answers (key, model, stored_at, answer) VALUES (?, ?, ?, ?)",
                [(key, models[name], at, answer) for key, name, at, answer in answers],
            )
            texts = {text for call in calls for text in (call.context, call.statement) if text}
            shared = {text: self._shared_text(text) for text in texts}
            self._connection.executemany(
                f"INSERT INTO calls ({', '.join(CALL_COLUMNS)}) VALUES ({', '.join('?' * len(CALL_COLUMNS))})",
                [
                    (number, *_record(call, now), shared.get(call.context), shared.get(call.statement))
                    for number, call in zip(self._call_ids(len(calls)), calls, strict=True)
                ],
            )
            self._leases.release([call.key for call in calls], owner)
        self._trim()

    def _call_ids(self, count: int) -> Sequence[int | None]:
        """Return the ids of so many new call records; None: SQLite takes the next number."""
        return [None] * count

    def _row(self, call: CallRecord, now: float) -> tuple[Key, str, float, bytes] | None:
        try:
            return call.key, call.model, now, encode_answer(call.key, call.response)
        except DamagedAnswerError as error:
            self._warn_once("unwritable", f"an answer of {call.model} is not stored: {error}")
            return None

    def _model(self, name: str) -> int:
        """Return the id of the model's name; add it if it is new."""
        self._connection.execute("INSERT OR IGNORE INTO models (name) VALUES (?)", (name,))
        (number,) = self._connection.execute("SELECT id FROM models WHERE name = ?", (name,)).fetchone()
        return int(number)

    def _shared_text(self, text: str) -> int:
        """Return the id of a text that several calls may share; add it if it is new."""
        text = _valid(text)
        digest = blake2b(text.encode(), digest_size=16).digest()
        self._connection.execute("INSERT OR IGNORE INTO contexts (hash, messages) VALUES (?, ?)", (digest, text))
        (number,) = self._connection.execute("SELECT id FROM contexts WHERE hash = ?", (digest,)).fetchone()
        return int(number)

    def _drop_unused_contexts(self) -> None:
        with self._file.transaction() as connection:
            unused = "SELECT id FROM contexts EXCEPT SELECT context FROM calls EXCEPT SELECT statement FROM calls"
            connection.execute(f"DELETE FROM contexts WHERE id IN ({unused})")

    def forget(self, model: str | None = None, older_than_seconds: float = 0.0) -> int:
        """Delete answers and call records, of one model or of all; return the number of deleted answers."""
        deletion: Deletion | int = Deletion(model, time.time() - older_than_seconds)
        while isinstance(deletion, Deletion):
            deletion = self.forget_step(deletion)
            time.sleep(PAUSE_SECONDS)
        return deletion

    def forget_step(self, deletion: Deletion) -> Deletion | int:
        """Do one step of a deletion. Other processes wait for one step at most, and only if it deletes rows.

        Returns:
            the deletion to continue with, or, at the end, the number of deleted answers.
        """
        last = self._last_scanned(deletion)
        if last is None:
            return self._next_table(deletion)
        ids = self._matching_ids(deletion, last)
        if ids:
            with self._file.transaction() as connection:
                connection.executemany(f"DELETE FROM {deletion.table} WHERE id = ?", ids)
        return replace(
            deletion,
            after=ids[-1][0] if len(ids) == DELETED_ROWS else last,
            forgotten=deletion.forgotten + len(ids) * (deletion.table == "answers"),
        )

    def _last_scanned(self, deletion: Deletion) -> int | None:
        """Return the id of the last row that this step reads; None: there are no further rows."""
        rest = f"FROM {deletion.table} WHERE id > ?"
        full = f"SELECT id {rest} ORDER BY id LIMIT 1 OFFSET {SCANNED_ROWS - 1}"
        found = self._connection.execute(full, (deletion.after,)).fetchone()
        (last,) = found or self._connection.execute(f"SELECT max(id) {rest}", (deletion.after,)).fetchone()
        return None if last is None else int(last)

    def _matching_ids(self, deletion: Deletion, last: int) -> list[tuple[int]]:
        is_answers = deletion.table == "answers"
        whose = "model = (SELECT id FROM models WHERE name = :model)" if is_answers else "model = :model"
        when = "stored_at" if is_answers else "at"
        return self._connection.execute(
            f"SELECT id FROM {deletion.table} WHERE id > :after AND id <= :last AND (:model IS NULL OR {whose}) "
            f"AND {when} <= :before ORDER BY id LIMIT {DELETED_ROWS}",
            {"after": deletion.after, "last": last, "model": deletion.model, "before": deletion.before},
        ).fetchall()

    def _next_table(self, deletion: Deletion) -> Deletion | int:
        if deletion.table == "answers":
            return replace(deletion, table="calls", after=0)
        self._drop_unused_contexts()
        if self._free_pages():
            self._connection.execute(f"PRAGMA incremental_vacuum({DELETED_ROWS})").fetchall()
            if self._free_pages():
                return deletion
        return deletion.forgotten

    def _free_pages(self) -> int:
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        return int(free)

    def _trim(self) -> None:
        """Delete the oldest answers if the file is too large: one step at each `record`."""
        if self._file.bytes() <= self.max_bytes:
            return
        began = time.monotonic()
        while self._file.bytes() > self.max_bytes * SHRINK_TO and time.monotonic() - began < TRIM_SECONDS:
            with self._file.transaction():
                if not sum(self._delete_oldest(table) for table in ("answers", "calls")):
                    return
        if self._file.bytes() <= self.max_bytes * SHRINK_TO:
            self._drop_unused_contexts()

    def _delete_oldest(self, table: str) -> int:
        (first,) = self._connection.execute(f"SELECT min(id) FROM {table}").fetchone()
        (last,) = self._connection.execute(f"SELECT max(id) FROM {table}").fetchone()
        part = min(DELETED_ROWS, 1 + ((last or 0) - (first or 0)) // 50)
        oldest = f"SELECT id FROM {table} ORDER BY id LIMIT {part}"
        return self._connection.execute(f"DELETE FROM {table} WHERE id IN ({oldest})").rowcount

    def bytes(self) -> int:
        """Return how much of the file is used, in bytes."""
        return self._file.bytes()

    def calls(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Return the newest recorded calls below the id `before`, newest first."""
        text = "(SELECT messages FROM contexts WHERE contexts.id = {0}) AS {0}"
        later = f"function, price_part, {text.format('context')}, {text.format('statement')}"
        if not self._has_later_columns():  # An earlier release's file that cannot be written.
            later = "NULL AS function, NULL AS price_part, NULL AS context, NULL AS statement"
        rows = self._connection.execute(
            "SELECT id, at, model, engine, prompt, finish_reason, code, input_tokens, output_tokens, seconds, "
            f"request_id, {later} FROM calls WHERE (? IS NULL OR id < ?) ORDER BY id DESC LIMIT ?",
            (before, before, limit),
        )
        return _named(rows)

    def _has_later_columns(self) -> bool:
        return later_columns(self._connection) == LATER.keys()

    def usage(self) -> list[dict[str, Any]]:
        """Return calls, failures, tokens and seconds by model and engine, and the tokens at the usual price."""
        part = "coalesce(price_part, 1)" if self._has_later_columns() else "1"
        rows = self._connection.execute(
            "SELECT model, engine, count(*) AS calls, sum(finish_reason <> 'stop') AS failed, "
            "sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, "
            "round(sum(seconds), 3) AS seconds, "
            f"sum(input_tokens * {part}) AS charged_input, sum(output_tokens * {part}) AS charged_output "
            "FROM calls GROUP BY model, engine ORDER BY calls DESC"
        )
        return _named(rows)

    def usage_over_time(self, since: float, period_seconds: int, offset_seconds: int = 0) -> list[dict[str, Any]]:
        """Return calls, failures, tokens and seconds by period, model and engine, the oldest period first.

        Args:
            since: calls before it are left out, in seconds since 1970.
            period_seconds: the length of a period.
            offset_seconds: of the reader's clock from UTC, so that days begin at midnight there.

        Returns:
            rows whose `start` is the period's beginning, in seconds since 1970.
        """
        rows = self._connection.execute(
            "SELECT CAST((at + :offset) / :period AS INTEGER) * :period - :offset AS start, model, engine, "
            "count(*) AS calls, sum(finish_reason <> 'stop') AS failed, sum(input_tokens) AS input_tokens, "
            "sum(output_tokens) AS output_tokens, sum(seconds) AS seconds FROM calls WHERE at >= :since "
            "GROUP BY 1, model, engine ORDER BY 1",
            {"since": since, "period": period_seconds, "offset": offset_seconds},
        )
        return _named(rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _warn_once(self, about: str, text: str) -> None:
        """Log a warning, once for each topic."""
        if about not in self._warned:
            self._warned.add(about)
            LOG.warning("%s", text)


def _parts(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Split the keys into batches of the sizes in `LOOKUP_SIZES`; repeat the last key to fill the last batch."""
    for start in range(0, len(keys), LOOKUP_SIZES[-1]):
        part = keys[start : start + LOOKUP_SIZES[-1]]
        size = next(size for size in LOOKUP_SIZES if len(part) <= size)
        yield [*part, *[part[-1]] * (size - len(part))]


def _named(rows: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _record(call: CallRecord, now: float) -> tuple[Any, ...]:
    response, usage = call.response, call.response.usage
    code = response.error.code if response.error else None
    parameters = (now, call.model, call.engine, _valid(call.prompt))
    tokens = (usage.input_tokens, usage.output_tokens)
    ending = response.finish_reason, code, *tokens, response.seconds, response.request_id
    return (*parameters, *ending, call.function or None, call.price_part)


def _valid(text: str) -> str:
    """Return a text that SQLite can store: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
