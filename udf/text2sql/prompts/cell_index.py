"""An index of all distinct texts of a database file, beside the call store: a cell is found in milliseconds.

It is built in the background when a search of the columns themselves is slow, and again when the file has changed.
Until then, and for databases in memory, the columns are searched.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ....workers.database_schema import Column, Schema, Table, quote_path
from ....workers.home import home_folder
from ....workers.sql_text import quote_identifier
from .find_cells import MAX_FOUND, CellScan, FindCells, is_text
from .value_matching import CellMatch, NearPhrase, damerau_levenshtein, fold, phrases_in

MAX_TEXTS, MAX_LENGTH = 10_000_000, 100  # Of all columns together; longer texts are no names.
SLOW_SECONDS = 0.3  # A database that is searched faster needs no index.
MAX_CANDIDATES = 2_000  # Texts that share half of a mistyped phrase, of which the distance is computed.
CHUNK = 20_000
TABLES = """
    CREATE TABLE place (number INTEGER PRIMARY KEY, table_name TEXT, column_name TEXT);
    CREATE TABLE cell (folded TEXT, place INTEGER, text TEXT, PRIMARY KEY (folded, place, text)) WITHOUT ROWID;
    CREATE TABLE ending (reversed TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass
class IndexedCells:
    """Finds cells by the index if it is fresh, else by a scan, and then has the index built.

    Args:
        open_cursor: opens a connection to the database; None: it is closed.
        file: of the database.
    """

    open_cursor: Callable[[], duckdb.DuckDBPyConnection | None]
    file: Path
    build: threading.Thread | None = field(default=None, init=False)

    def __call__(self, question: str, schema: Schema) -> list[CellMatch]:
        """Return the cells that a question mentions, of columns whose values are not all known."""
        wanted = [(t, c) for t in schema.tables for c in t.columns if c.examples and is_text(c) and not c.complete]
        if not wanted:
            return []
        path = index_file(self.file)
        if path.is_file():
            with contextlib.suppress(sqlite3.Error):
                names = {(table.name, column.name) for table, column in wanted}
                return [match for match in find(path, *phrases_in(question, schema)) if match[:2] in names]
        began = time.monotonic()
        found = CellScan(self.open_cursor)(question, schema)
        if time.monotonic() - began >= SLOW_SECONDS:
            self._start(path, wanted)
        return found

    def _start(self, path: Path, wanted: Sequence[tuple[Table, Column]]) -> None:
        with _LOCK:
            if path in _BUILDING:
                return
            _BUILDING.add(path)
        if (connection := _open_file(self.file)) is not None:
            arguments = path, connection, wanted
            self.build = threading.Thread(target=_build, args=arguments, name="cell-index", daemon=True)
            self.build.start()


def _open_file(file: Path) -> duckdb.DuckDBPyConnection | None:
    """Return a connection of our own to a file that this process has open: no cursor, which would keep it from closing.

    None if the file was opened with settings that we do not know.
    """
    for read_only in (False, True):
        with contextlib.suppress(duckdb.Error):
            return duckdb.connect(file, read_only=read_only)
    return None


_LOCK = threading.Lock()
_BUILDING: set[Path] = set()  # Each file once a process: one that cannot be written is not tried again and again.


def cell_finder(open_cursor: Callable[[], duckdb.DuckDBPyConnection | None], files: Sequence[Path]) -> FindCells:
    """Return what finds the cells of a question: with an index where the database is one file."""
    return IndexedCells(open_cursor, files[0]) if len(files) == 1 else CellScan(open_cursor)


def index_file(database: Path) -> Path:
    """Return the index of a database as it is now: its name has the size and time of the file and of its log."""
    parts = [str(database.resolve())]
    for path in (database, database.with_name(f"{database.name}.wal")):
        stat = path.stat() if path.is_file() else None
        parts.append(f"{stat.st_size}:{stat.st_mtime_ns}" if stat else "")
    version = hashlib.sha256("\n".join(parts[1:]).encode()).hexdigest()[:16]
    return home_folder() / "cells" / f"{_name(database)}-{version}.sqlite"


def _name(database: Path) -> str:
    return hashlib.sha256(str(database.resolve()).encode()).hexdigest()[:16]


def _build(path: Path, cursor: duckdb.DuckDBPyConnection, wanted: Sequence[tuple[Table, Column]]) -> None:
    """Write the index beside its place, then move it there; an error leaves none."""
    part = path.with_suffix(f".{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_index(part, cursor, wanted)
        for older in path.parent.glob(f"{path.name.split('-')[0]}-*.sqlite"):
            older.unlink(missing_ok=True)
        part.replace(path)
    except (OSError, sqlite3.Error, duckdb.Error):
        part.unlink(missing_ok=True)
    finally:
        cursor.close()


def write_index(path: Path, cursor: duckdb.DuckDBPyConnection, wanted: Sequence[tuple[Table, Column]]) -> int:
    """Write the distinct texts of some columns to a new file, and return their number.

    Raises:
        OSError, sqlite3.Error, duckdb.Error: it cannot be written, or a column cannot be read.
    """
    path.unlink(missing_ok=True)
    count = 0
    with contextlib.closing(sqlite3.connect(path)) as index:
        index.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {TABLES}")
        for number, (table, column) in enumerate(wanted):
            index.execute("INSERT INTO place VALUES (?, ?, ?)", (number, table.name, column.name))
            name = quote_identifier(column.name)
            query = f"SELECT DISTINCT {name}::VARCHAR AS cell FROM {quote_path(table.name)}"
            ordered = f"SELECT cell FROM ({query}) WHERE length(cell) <= {MAX_LENGTH} ORDER BY lower(cell)"
            duckdb.DuckDBPyConnection.execute(cursor, ordered)
            while count < MAX_TEXTS and (rows := cursor.fetchmany(CHUNK)):
                cells = [(fold(cell), number, cell) for (cell,) in rows]
                index.executemany("INSERT OR IGNORE INTO cell VALUES (?, ?, ?)", cells)
                index.executemany("INSERT OR IGNORE INTO ending VALUES (?)", ((text[::-1],) for text, _, _ in cells))
                count += len(rows)
        index.commit()
    return count


def find(path: Path, phrases: Sequence[str], near: Sequence[NearPhrase]) -> list[CellMatch]:
    """Return the cells that equal a phrase, then those that differ from a near phrase in a letter or two.

    Raises:
        sqlite3.Error: the file is no index.
    """
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as index:
        found = _cells(index, phrases)
        texts = {fold(cell) for _, _, cell in found}
        left = [phrase for phrase in near if not any(phrase.text in text for text in texts)]
        return found + _cells(index, {text for phrase in left for text in _similar(index, phrase)})


def _cells(index: sqlite3.Connection, folded: Iterable[str]) -> list[CellMatch]:
    query = "SELECT table_name, column_name, text FROM cell JOIN place ON number = place WHERE folded = ? LIMIT ?"
    return [(str(t), str(c), str(x)) for text in folded for t, c, x in index.execute(query, (text, MAX_FOUND))]


def _similar(index: sqlite3.Connection, phrase: NearPhrase) -> list[str]:
    """Return the texts near a phrase: one error leaves one of its halves as it is."""
    begins = "SELECT DISTINCT folded FROM cell WHERE folded >= ? AND folded < ? LIMIT ?"
    ends = "SELECT reversed FROM ending WHERE reversed >= ? AND reversed < ? LIMIT ?"
    start, end = phrase.start, phrase.end[::-1]
    found = [text for (text,) in index.execute(begins, (start, f"{start}\U0010ffff", MAX_CANDIDATES))]
    found += [text[::-1] for (text,) in index.execute(ends, (end, f"{end}\U0010ffff", MAX_CANDIDATES))]
    size, edits = len(phrase.text), phrase.edits
    likely = (text for text in dict.fromkeys(found) if abs(len(text) - size) <= edits)
    return [text for text in likely if damerau_levenshtein(phrase.text, text) <= edits]
