"""Read the call store of before version 1 (answers as JSON, keys as hexadecimal digits) and move it to version 1."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ...workers.messages import Response, Usage
from ...workers.vectors import vector_bytes
from .request_key import Key
from .store_file import TABLE_V0, StoreFile, has_table
from .stored_answer import DamagedAnswerError, encode_answer

LOG = logging.getLogger("quackllm")
STEP = 1000  # Answers that are moved in one transaction, which is how long other processes wait.
LOGGED_FROM = 50_000  # From this number of answers the migration takes long enough to log it.


class AnswerV0(msgspec.Struct):
    """An answer as JSON."""

    usage: Usage
    output: str | None = None
    reasoning: str | None = None
    seconds: float = 0.0
    request_id: str | None = None
    embedding: tuple[float, ...] | None = None
    tool_calls: str | None = None


DECODER = msgspec.json.Decoder(AnswerV0)


def migrate_answers(file: StoreFile) -> None:
    """Move every answer to the new table, oldest first. If the process is killed, the next one continues."""
    if not has_table(file.connection, TABLE_V0):
        return
    (count,) = file.connection.execute(f"SELECT count(*) FROM {TABLE_V0}").fetchone()
    if count >= LOGGED_FROM:
        LOG.warning("moving %d answers of the call store %s to its new tables, once", count, file.path)
    damaged = 0
    while has_table(file.connection, TABLE_V0):
        damaged += _migrate_some(file)
    if damaged:
        LOG.warning(
            "%d answers of the call store %s were damaged: quackllm will call the model again for them",
            damaged,
            file.path,
        )


def _migrate_some(file: StoreFile) -> int:
    """Move up to `STEP` answers, or drop the old table if it is empty; return how many could not be read."""
    with file.transaction() as connection:
        if not has_table(connection, TABLE_V0):
            return 0  # Another process has moved the last ones.
        rows = connection.execute(
            f"SELECT key, model, at, CAST(answer AS BLOB) FROM {TABLE_V0} ORDER BY at LIMIT {STEP}"
        ).fetchall()
        if not rows:
            connection.execute(f"DROP TABLE {TABLE_V0}")
            return 0
        names = sorted({str(model) for _, model, _, _ in rows})
        connection.executemany("INSERT OR IGNORE INTO models (name) VALUES (?)", [(name,) for name in names])
        moved = [row for row in map(_migrated, rows) if row]
        connection.executemany(
            "INSERT OR IGNORE INTO answers (key, model, stored_at, answer) "
            "VALUES (?, (SELECT id FROM models WHERE name = ?), ?, ?)",
            moved,
        )
        connection.executemany(f"DELETE FROM {TABLE_V0} WHERE key = ?", [(key,) for key, *_ in rows])
        return len(rows) - len(moved)


def _migrated(row: tuple[Any, ...]) -> tuple[Key, str, object, bytes] | None:
    digits, model, at, answer = row
    try:
        key = bytes.fromhex(str(digits))
        return key, str(model), at, encode_answer(key, decode_answer_v0(answer))
    except ValueError:
        return None


def get_many_v0(connection: sqlite3.Connection, keys: Sequence[Key]) -> Iterable[tuple[Key, Response | None]]:
    """Yield the answers in an old file that cannot be written; None for a damaged answer."""
    for key in keys if has_table(connection, "answers") else ():  # A file that could not be written has no tables.
        for (answer,) in connection.execute("SELECT CAST(answer AS BLOB) FROM answers WHERE key = ?", (key.hex(),)):
            try:
                yield key, decode_answer_v0(answer)
            except DamagedAnswerError:
                yield key, None


def decode_answer_v0(answer: bytes) -> Response:
    """Return the answer in this JSON.

    Raises:
        DamagedAnswerError: the JSON cannot be read.
    """
    try:
        found = DECODER.decode(answer)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise DamagedAnswerError(f"the stored answer cannot be read: {error}") from error
    return Response(
        found.output,
        found.reasoning,
        usage=found.usage,
        seconds=found.seconds,
        request_id=found.request_id,
        embedding=None if found.embedding is None else vector_bytes(found.embedding),
        tool_calls=found.tool_calls,
    )
