"""The databases of questions: databases with rows, each opened once, and schemas given as text."""

from __future__ import annotations

from pathlib import Path
from threading import RLock
from types import TracebackType

import duckdb

from ....workers.database_schema import Column, Schema, Table
from ....workers.errors import SetupError, did_you_mean
from ....workers.mschema import format_mschema
from ...open_errors import open_error
from ..schema.catalog import read_catalog
from ..schema.resolve import ResolvedSchema, resolve_schema
from .datasets import Question, business_script, data_folder, list_databases, open_database


def source_path(name: str) -> Path:
    """Return the file or folder of a database.

    Args:
        name: a database of the data folder, or the path of a DuckDB file, of a folder (`schema.sql`, Parquet files) or
            of a script (.sql).

    Raises:
        SetupError: it does not exist.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path.resolve()
    for folder in (data_folder() / "databases" / name, path):
        if (folder / "schema.sql").is_file():
            return folder.resolve()
    if script := business_script(name):
        return script
    raise SetupError(f"there is no database {name!r}", hint=did_you_mean(name, list_databases()))


def open_source(name: str) -> duckdb.DuckDBPyConnection:
    """Open a database for reading; see `source_path`.

    Raises:
        SetupError: it does not exist, or it cannot be opened.
    """
    path = source_path(name)
    try:
        if path.is_file() and path.suffix != ".sql":
            return duckdb.connect(str(path), read_only=True)
        connection = duckdb.connect()
        if path.suffix == ".sql":
            connection.execute(path.read_text(encoding="utf-8"))
        else:
            open_database(connection, str(path))
        return connection
    except duckdb.Error as error:
        raise open_error(name, error) from error


def schema_text(question: Question) -> str | None:
    """Return the argument `schema :=` for a question with its own schema; None if it has a database."""
    if question.columns:
        columns = tuple(Column(name, type_name) for name, type_name in question.columns)
        return format_mschema(Schema(tables=(Table("t", columns),)))
    return question.schema or None


class QuestionDatabases:
    """The databases of many questions; a context manager that closes them."""

    def __init__(self) -> None:
        self._connections: dict[str, duckdb.DuckDBPyConnection | SetupError] = {}
        self._catalogs: dict[str, Schema] = {}
        self._lock = RLock()

    def __enter__(self) -> QuestionDatabases:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections.values():
            if isinstance(connection, duckdb.DuckDBPyConnection):
                connection.close()

    def connection(self, question: Question) -> duckdb.DuckDBPyConnection | None:
        """Return a new cursor of the question's database; None if the question has only a schema text.

        Raises:
            SetupError: the database cannot be opened.
        """
        if schema_text(question) is not None:
            return None
        with self._lock:
            if question.db not in self._connections:
                self._connections[question.db] = _opened(question.db)
            found = self._connections[question.db]
        if isinstance(found, SetupError):
            raise found
        return duckdb.DuckDBPyConnection.cursor(found)

    def schema(self, question: Question) -> ResolvedSchema:
        """Return the schema as text2sql resolves it.

        Raises:
            SetupError: the database cannot be opened, or the text describes no table.
        """
        text = schema_text(question)
        if text is not None:
            return resolve_schema(text, Schema())
        if question.db not in self._catalogs:
            with self.connection(question) or duckdb.connect() as connection:
                self._catalogs[question.db] = read_catalog(connection)
        return ResolvedSchema(self._catalogs[question.db])


def _opened(name: str) -> duckdb.DuckDBPyConnection | SetupError:
    try:
        return open_source(name)
    except SetupError as error:
        return error
