"""The call store's SQLite file: its tables, how it is opened, and how the tables of an older file are prepared."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ...workers.errors import StoreError
from ...workers.home import touch_private

LOG = logging.getLogger("quackllm")
SCHEMA_VERSION = 1  # `PRAGMA user_version` of the file. Earlier releases did not set it, so it is 0 there.
TABLE_V0 = "answers_version_0"  # The answers of a file before version 1, until `migration` has moved them.
BUSY_SECONDS = 30.0
CANNOT_WRITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
# The file is damaged or its tables are not ours: SQLITE_ERROR is what a missing table or column gives.
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
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

# `answers` has the order in which answers arrived, so that new rows are neighbours and the oldest are found without an
# index. It has no column named `at`: a release before version 1 looks for that column when it opens the file, and
# therefore stops with an error instead of paying for every call again.
# By a column that it adds to `calls`, what earlier releases did not write: the SQL function and the statement that
# paid, the messages before the last one, and the part of the price that was paid. `contexts` holds texts that many
# calls share: messages and statements. Earlier releases read and write the other columns.
LATER = {
    "context": (
        "CREATE TABLE contexts (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, messages TEXT NOT NULL)",
        "ALTER TABLE calls ADD COLUMN context INTEGER",
        "ALTER TABLE calls ADD COLUMN function TEXT",
    ),
    "statement": (
        "ALTER TABLE calls ADD COLUMN statement INTEGER",
        "ALTER TABLE calls ADD COLUMN price_part REAL",
    ),
}
SCHEMA = (
    "CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE answers (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, model INTEGER NOT NULL, "
    "stored_at REAL NOT NULL, answer BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, at REAL NOT NULL, model TEXT, engine TEXT, prompt TEXT, "
    "finish_reason TEXT, code TEXT, input_tokens INTEGER, output_tokens INTEGER, seconds REAL, request_id TEXT)",
    *(statement for statements in LATER.values() for statement in statements),
    "CREATE TABLE owners (owner TEXT PRIMARY KEY, seen REAL NOT NULL, unwritten INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE leases (key BLOB PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID",
)
PRAGMAS = (
    "PRAGMA synchronous=NORMAL",
    "PRAGMA cache_size=-16000",
    "PRAGMA mmap_size=2147418112",
    "PRAGMA wal_autocheckpoint=8000",
    "PRAGMA journal_size_limit=67108864",
)


class StoreFile:
    """An open call store file.

    Args:
        path: the file; it is created if it does not exist.

    Raises:
        StoreError: the file cannot be opened, is not a call store, was written by a newer release, or is on a network
            disk.
    """

    def __init__(self, path: Path) -> None:
        refuse_shared_disk(path)
        self.path = path
        self.read_only = False
        try:
            self._open()
        except sqlite3.Error as error:
            raise StoreError(
                f"the call store {path} cannot be opened: {error}",
                hint=begin_new(path, error) or "set QUACKLLM_HOME to another folder, or SET VARIABLE llm_store = 'off'",
            ) from error

    def _open(self) -> None:
        touch_private(self.path)
        try:
            self.connection = _connect(str(self.path))
            self.version = self._prepare()
        except sqlite3.OperationalError as error:
            if not (cannot_write(error) and self.path.is_file()):
                raise
            self._open_read_only(error)

    def _prepare(self) -> int:
        """Create the tables, or upgrade those of an older file; return the version. A current file is not written."""
        if self._read_version() < SCHEMA_VERSION:
            self.connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            self.connection.execute("PRAGMA journal_mode=WAL")
            self._make_tables()
        elif later_columns(self.connection) < LATER.keys():
            self._add_later_columns()
        for pragma in PRAGMAS:
            self.connection.execute(pragma)
        return SCHEMA_VERSION

    def _add_later_columns(self) -> None:
        with self.transaction():
            for column in [column for column in LATER if column not in later_columns(self.connection)]:
                for statement in LATER[column]:
                    self.connection.execute(statement)

    def _make_tables(self) -> None:
        with self.transaction():
            if self._read_version() == SCHEMA_VERSION:
                return  # Another process was first.
            self._refuse_other_database()
            _rename_old_table(self.connection)
            for statement in SCHEMA:
                self.connection.execute(statement)
            self.connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _refuse_other_database(self) -> None:
        (tables,) = self.connection.execute("SELECT group_concat(name, ', ') FROM sqlite_master").fetchone()
        if tables and not (has_table(self.connection, "answers") or has_table(self.connection, "calls")):
            raise StoreError(
                f"{self.path} is no call store, but another program's database: it has {tables[:100]}",
                hint="move it, or set QUACKLLM_HOME to another folder",
            )

    def _read_version(self) -> int:
        """Return the file's version.

        Raises:
            StoreError: it is newer than this release's.
        """
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the call store {self.path} was written by a newer quackllm: its tables are version {version}, "
                f"this release reads versions up to {SCHEMA_VERSION}",
                hint="install that quackllm, set QUACKLLM_HOME to another folder, or SET VARIABLE llm_store = 'off'",
            )
        return int(version)

    def _open_read_only(self, reason: sqlite3.Error) -> None:
        """Open a file that cannot be written, so that its answers can be read.

        SQLite reads a file in WAL mode only if it can create the `-wal` and `-shm` files or another process has created
        them. `immutable` tells SQLite that nobody writes the file, which is true because nobody can.
        """
        self.read_only = True
        for mode in ("mode=ro", "immutable=1"):
            self.connection = _connect(f"{self.path.absolute().as_uri()}?{mode}")
            try:
                self.version = self._read_version()
                self.connection.execute("SELECT 1 FROM sqlite_master").fetchone()
                break
            except sqlite3.OperationalError as error:
                reason = error
        else:
            raise reason
        LOG.warning(
            "the call store %s cannot be written (%s): stored answers are used, but new answers are not stored",
            self.path,
            reason,
        )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's write lock inside the block; commit at its end, or roll back after an exception."""
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection

    def bytes(self) -> int:
        """Return how much of the file is used, in bytes."""
        (pages,), (free,), (size,) = (
            self.connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def cannot_write(error: sqlite3.Error) -> bool:
    """Whether the file or its disk cannot be written: full, read-only, or broken."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in CANNOT_WRITE


def begin_new(path: Path, error: sqlite3.Error) -> str:
    """Return the command that moves a damaged file away; empty if the error does not come from the file's contents."""
    is_damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED
    return (
        f"mv '{path}' '{path}.broken'   to begin a new one, or set QUACKLLM_HOME to another folder"
        if is_damaged
        else ""
    )


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the file has a table of that name."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone())


def _rename_old_table(connection: sqlite3.Connection) -> None:
    if has_table(connection, "answers"):
        connection.execute(f"ALTER TABLE answers RENAME TO {TABLE_V0}")
        for table in ("holders", "leases"):  # They belong to processes of before the upgrade.
            connection.execute(f"DROP TABLE IF EXISTS {table}")


def _connect(name: str) -> sqlite3.Connection:
    is_uri = name.startswith("file:")
    connection = sqlite3.connect(name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=is_uri)
    connection.text_factory = _lenient_text
    return connection


def _lenient_text(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def refuse_shared_disk(path: Path) -> None:
    """Refuse network file systems: SQLite's locks do not work there, and two machines would corrupt the file.

    Raises:
        StoreError: the path is on a network file system.
    """
    resolved = path.absolute()
    mounts = [disk for disk in psutil.disk_partitions(all=True) if resolved.is_relative_to(disk.mountpoint)]
    nearest = max(mounts, key=lambda disk: len(disk.mountpoint), default=None)
    if nearest and nearest.fstype in SHARED_FILE_SYSTEMS:
        raise StoreError(
            f"the call store cannot be on a network file system ({nearest.fstype} at {nearest.mountpoint})",
            hint="set QUACKLLM_HOME to a folder on a disk of this machine",
        )


def later_columns(connection: sqlite3.Connection) -> set[str]:
    """Return which of the columns that later releases added `calls` has."""
    return {name for _, name, *_ in connection.execute("PRAGMA table_info(calls)")} & LATER.keys()
