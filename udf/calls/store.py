"""The call store: every whole answer under the hash of its request, in one SQLite file. Nothing is paid twice."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import psutil
from msgspec import structs

from ...workers.errors import StoreError
from ...workers.home import home_folder
from ...workers.messages import Request, Response, Usage
from ..settings import load_settings

SHARED_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb",
    "smb2",
    "smb3",
    "smbfs",
    "sshfs",
    "fuse.sshfs",
    "lustre",
    "afs",
    "9p",
}
LEASE_SECONDS = 6.0
"""A holder that has not said for so long that it lives has lost its leases."""
PROMPT_CHARACTERS = 200
"""How much of a prompt `llm_calls()` shows."""

LAYOUT = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, model TEXT, answer TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, model TEXT, engine TEXT, prompt TEXT, finish_reason TEXT, code TEXT,
    input_tokens INTEGER, output_tokens INTEGER, seconds REAL, request_id TEXT);
CREATE TABLE IF NOT EXISTS holders (holder TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (key TEXT PRIMARY KEY, holder TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made, as the store records it."""

    key: str
    model: str
    engine: str
    prompt: str
    response: Response
    kept: bool = True


AS_JSON = json.JSONEncoder(ensure_ascii=False).encode
"""As `json.dumps`, which would make an encoder for each text."""


def key_of(identity: str, request: Request) -> str:
    """Return the hash of all that decides the answer: the model's identity, the messages and the options."""
    messages: list[list[Any]] = [[each.role, each.content, *each.images] for each in request.messages]
    if any(each.extra for each in request.messages):
        messages.append([each.extra for each in request.messages])
    text = AS_JSON([identity, request.kind, messages, request.options.cache_key_json])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


class CallStore:
    """The file. Used by one thread of a process at a time; several processes may share it.

    Args:
        path: the file; its folder must be on a disk of this machine. None: `calls.sqlite` in QUACKLLM_HOME.
        max_bytes: when the file grows beyond it, the oldest answers go. None: as `settings.yaml` says.

    Raises:
        StoreError: the file cannot be opened, is none of ours, or lies on a network file system.
    """

    def __init__(self, path: Path | None = None, *, max_bytes: int | None = None) -> None:
        path = path or home_folder() / "calls.sqlite"
        _refuse_shared_disk(path)
        self.path, self.max_bytes = path, max_bytes or load_settings().store_max_bytes
        try:
            self._file = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._file.executescript(
                "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + LAYOUT
            )
        except sqlite3.Error as error:
            raise StoreError(
                f"the call store {path} cannot be opened: {error}",
                hint="set QUACKLLM_HOME to another folder, or SET VARIABLE llm_store = 'off'",
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._file:  # Commits at the end, or rolls back.
            self._file.execute("BEGIN IMMEDIATE")
            yield

    def find(self, keys: Sequence[str]) -> dict[str, Response]:
        """Return the answers that are known, by key; history and model are the caller's to add."""
        rows = self._file.execute(
            "SELECT key, answer FROM answers WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(keys),)
        )
        return {key: _read(answer) for key, answer in rows}

    def claim(self, keys: Sequence[str], holder: str) -> set[str]:
        """Take a lease on each key that no living holder has; return those that were taken."""
        wanted = json.dumps(keys)
        with self._transaction():
            self._beat(holder)
            self._file.execute(
                "DELETE FROM leases WHERE key IN (SELECT value FROM json_each(?)) "
                "AND holder NOT IN (SELECT holder FROM holders WHERE until > ?)",
                (wanted, time.time()),
            )
            self._file.execute("INSERT OR IGNORE INTO leases SELECT value, ? FROM json_each(?)", (holder, wanted))
            rows = self._file.execute(
                "SELECT key FROM leases WHERE holder = ? AND key IN (SELECT value FROM json_each(?))", (holder, wanted)
            )
            return {key for (key,) in rows}

    def beat(self, holder: str) -> None:
        """Say that the holder lives."""
        with self._transaction():
            self._beat(holder)

    def _beat(self, holder: str) -> None:
        self._file.execute("INSERT OR REPLACE INTO holders VALUES (?, ?)", (holder, time.time() + LEASE_SECONDS))

    def settle(self, calls: Sequence[Call]) -> None:
        """Record the calls, keep the whole answers, and give the leases back: one transaction."""
        now = time.time()
        with self._transaction():
            self._file.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                [(c.key, c.model, _written(c.response), now) for c in calls if c.kept and c.response.is_complete],
            )
            self._file.executemany(
                "INSERT INTO calls (at, model, engine, prompt, finish_reason, code, input_tokens, output_tokens, "
                "seconds, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_record(call, now) for call in calls],
            )
            self._release([call.key for call in calls])
        self._keep_to_size()

    def release(self, keys: Sequence[str]) -> None:
        """Give leases back without an answer."""
        with self._transaction():
            self._release(keys)

    def _release(self, keys: Iterable[str]) -> None:
        self._file.execute(
            "DELETE FROM leases WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(list(keys)),)
        )

    def forget(self, model: str | None = None, older_than_seconds: float = 0.0) -> int:
        """Delete answers and the record of calls, of one model or of all; return how many answers went."""
        chosen = "WHERE (? IS NULL OR model = ?) AND at <= ?"
        values = (model, model, time.time() - older_than_seconds)
        with self._transaction():
            forgotten = self._file.execute(f"DELETE FROM answers {chosen}", values).rowcount
            self._file.execute(f"DELETE FROM calls {chosen}", values)
        self._file.execute("PRAGMA incremental_vacuum")
        return forgotten

    def _keep_to_size(self) -> None:
        while self.bytes() > self.max_bytes:
            with self._transaction():
                gone = self._file.execute(
                    "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY at LIMIT max(1, "
                    "(SELECT count(*) / 10 FROM answers)))"
                ).rowcount
                self._file.execute(
                    "DELETE FROM calls WHERE id IN (SELECT id FROM calls ORDER BY id LIMIT "
                    "(SELECT count(*) / 10 FROM calls))"
                )
            self._file.execute("PRAGMA incremental_vacuum").fetchall()
            if not gone:
                return

    def bytes(self) -> int:
        """Return how large the file is, in bytes."""
        (pages,), (free,), (size,) = (
            self._file.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def calls(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Return the newest recorded calls below the id `before`, newest first."""
        rows = self._file.execute(
            "SELECT id, at, model, engine, prompt, finish_reason, code, input_tokens, output_tokens, seconds, "
            "request_id FROM calls WHERE (? IS NULL OR id < ?) ORDER BY id DESC LIMIT ?",
            (before, before, limit),
        )
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def usage(self) -> list[dict[str, Any]]:
        """Return calls, failures, tokens and seconds by model and engine."""
        rows = self._file.execute(
            "SELECT model, engine, count(*) AS calls, sum(finish_reason <> 'stop') AS failed, "
            "sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(seconds) AS seconds "
            "FROM calls GROUP BY model, engine ORDER BY calls DESC"
        )
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _record(call: Call, now: float) -> tuple[Any, ...]:
    response, usage = call.response, call.response.usage
    code = response.error.code if response.error else None
    asked = (now, call.model, call.engine, call.prompt[:PROMPT_CHARACTERS])
    tokens = (usage.input_tokens, usage.output_tokens)
    return (*asked, response.finish_reason, code, *tokens, response.seconds, response.request_id)


def _written(response: Response) -> str:
    fields = {
        "output": response.output,
        "reasoning": response.reasoning,
        "usage": structs.asdict(response.usage),
        "seconds": response.seconds,
        "request_id": response.request_id,
        "embedding": response.embedding,
        "tool_calls": response.tool_calls,
    }
    return AS_JSON({name: value for name, value in fields.items() if value is not None})


def _read(answer: str) -> Response:
    fields = json.loads(answer)
    embedding = fields.pop("embedding", None)
    usage = Usage(**fields.pop("usage"))
    return Response(fields.pop("output", None), usage=usage, embedding=embedding and tuple(embedding), **fields)


def _refuse_shared_disk(path: Path) -> None:
    """SQLite's locks do not hold over a network: two machines would corrupt the file.

    Raises:
        StoreError: the path lies on a network file system.
    """
    resolved = path.absolute()
    mounts = [disk for disk in psutil.disk_partitions(all=True) if resolved.is_relative_to(disk.mountpoint)]
    nearest = max(mounts, key=lambda disk: len(disk.mountpoint), default=None)
    if nearest and nearest.fstype in SHARED_FILE_SYSTEMS:
        raise StoreError(
            f"the call store cannot lie on a network file system ({nearest.fstype} at {nearest.mountpoint})",
            hint="set QUACKLLM_HOME to a folder on a disk of this machine",
        )
