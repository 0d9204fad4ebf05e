"""The databases in `databases.yaml`, each opened when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic

import duckdb
from pydantic import SecretStr, TypeAdapter

from ....udf.settings import load_yaml
from ....udf.text2sql.prompts.find_cells import CellScan, FindCells
from ....workers.database_schema import Schema
from ....workers.errors import RequestError, did_you_mean
from ....workers.home import home_folder
from ....workers.sandbox import SandboxLimits
from ....workers.sandbox.locked_duckdb import CONFIG
from .database import STATEMENT_SECONDS
from .in_sandbox import SandboxedDatabase
from .urls import EXAMPLE, database_file, open_url, resolve_url

URLS = TypeAdapter(dict[str, SecretStr])
LIMITS = SandboxLimits(megabytes=512, seconds=STATEMENT_SECONDS)
SCHEMA_SECONDS = 60.0  # How long a schema is cached.


@dataclass(eq=False)
class Opened:
    """A database, and the cached schema."""

    database: SandboxedDatabase
    # Paths beside which the notes and examples of the database are.
    files: tuple[Path, ...] = ()
    find_cells: FindCells | None = None
    lock: Lock = field(default_factory=Lock)
    _schema: Schema | None = None
    _read_at: float = 0.0

    async def schema(self, most_seconds: float = SCHEMA_SECONDS) -> Schema:
        """Return the schema; it is read again when what was read is older than that.

        Raises:
            DatabaseError: the database cannot be reached.
        """
        return await asyncio.to_thread(self._read, most_seconds)

    def _read(self, most_seconds: float) -> Schema:
        with self.lock:
            if self._schema is None or monotonic() - self._read_at > most_seconds:
                self._schema, self._read_at = self.database.read_schema(), monotonic()
            return self._schema


class Databases:
    """The databases of a file.

    Args:
        path: a YAML file with names and URLs; read again when it has changed. None: there is no file.
        limits: of the memory and time of one query.
        urls: of further databases, by name.
    """

    def __init__(
        self, path: Path | None, limits: SandboxLimits = LIMITS, urls: Mapping[str, SecretStr] | None = None
    ) -> None:
        self._path = path
        self._given = dict(urls or {})
        self._limits = limits
        self._opened: dict[str, tuple[SecretStr, Opened]] = {}
        self._lock = Lock()

    def names(self) -> list[str]:
        """Return the names of the databases.

        Raises:
            SetupError: the file cannot be read.
        """
        return list(self._urls())

    def open(self, name: str) -> Opened:
        """Return the database of that name.

        Raises:
            RequestError: no database has that name.
            SetupError: it cannot be opened: its URL, its password or its driver is missing.
        """
        urls = self._urls()
        if name not in urls:
            hint = did_you_mean(name, urls) or f"write e.g. {EXAMPLE} in {self._path or 'databases.yaml'}"
            raise RequestError(f"no database is called {name!r}", hint=hint)
        with self._lock:
            url, opened = self._opened.get(name, (None, None))
            if opened is None or url != urls[name]:
                if opened:
                    opened.database.close()
                database = open_database(urls[name], name, self._limits)
                folder = self._path.parent if self._path else home_folder()
                files = (folder / name, *([path] if (path := database_file(database.url)) else []))
                opened = Opened(database, files, _cell_finder(database))
                self._opened[name] = urls[name], opened
            return opened

    def close(self) -> None:
        """Close all open databases."""
        with self._lock:
            for _, opened in self._opened.values():
                opened.database.close()
            self._opened.clear()

    def _urls(self) -> dict[str, SecretStr]:
        listed = load_yaml(self._path, URLS, EXAMPLE) if self._path else {}
        return {**listed, **self._given}


def _cell_finder(database: SandboxedDatabase) -> FindCells | None:
    """Return what finds cells in all rows of a DuckDB file; the samples of other databases must do."""
    path = database_file(database.url)
    if database.dialect != "duckdb" or path is None:
        return None
    return CellScan(lambda: duckdb.connect(path, read_only=True, config=CONFIG))


def open_database(url: SecretStr, name: str, limits: SandboxLimits = LIMITS) -> SandboxedDatabase:
    """Return the database of a URL, without connecting to it yet.

    Args:
        url: as SQLAlchemy writes it, or `duckdb:///PATH`; it, or the password in it, may be `env:NAME` or `file:PATH`.
        name: the database's name, for errors.
        limits: of the memory and time of one query.

    Raises:
        SetupError: it is not a URL, or this kind of database is not supported.
        MissingExtraError: SQLAlchemy or the driver is not installed.
    """
    resolved = resolve_url(url, name)
    return SandboxedDatabase(open_url(resolved, name), resolved, limits)
