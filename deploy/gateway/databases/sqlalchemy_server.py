"""A database through SQLAlchemy: PostgreSQL, MySQL, MariaDB, SQLite; it is only read, never written."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlglot.errors import SqlglotError

from ....udf.text2sql.checks.transpile import with_limit
from ....workers.database_schema import Schema
from ....workers.errors import DatabaseError, MissingExtraError, SetupError
from .database import STATEMENT_SECONDS, Rows, as_rows
from .reflection import read_schema

CONNECT_SECONDS = 10
SQLITE_STEPS = 10_000  # SQLite checks the time limit after this many steps of its virtual machine.
# Types with values that Python cannot represent: infinity, years before Christ, 24:00:00, months.
AS_POSTGRES_WRITES = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")
# TIMESTAMP, DATE, TIME and DATETIME in MySQL's protocol: 0000-00-00, and times of many hours.
AS_MYSQL_WRITES = (7, 10, 11, 12)


@dataclass(frozen=True, slots=True)
class DatabaseFamily:
    """What differs between the kinds of database.

    Args:
        product: its usual name.
        dialect: sqlglot's name of its SQL dialect.
        driver: SQLAlchemy's name of the driver.
        arguments: for the driver's `connect`.
        settle: makes a new connection read-only, with a time limit.
    """

    product: str
    dialect: str
    driver: str
    arguments: Callable[[], dict[str, Any]]
    settle: Callable[[Any], None]


def _settle_postgres(connection: Any) -> None:
    from psycopg.types.string import TextLoader

    for name in AS_POSTGRES_WRITES:
        connection.adapters.register_loader(name, TextLoader)
    _all(
        connection,
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        f"SET statement_timeout = {int(STATEMENT_SECONDS * 1000)}",
        "SET standard_conforming_strings = on",
    )


def _mysql_arguments() -> dict[str, Any]:
    from pymysql.converters import conversions

    as_text = {kind: convert for kind, convert in conversions.items() if kind not in AS_MYSQL_WRITES}
    return {"connect_timeout": CONNECT_SECONDS, "charset": "utf8mb4", "conv": as_text}


def _settle_mysql(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        is_mariadb = "mariadb" in cursor.fetchone()[0].lower()
    milliseconds = int(STATEMENT_SECONDS * 1000)
    limit = f"max_statement_time = {STATEMENT_SECONDS}" if is_mariadb else f"max_execution_time = {milliseconds}"
    # Quotes and backslashes must have the meaning that the translated SQL expects, whatever the server's SQL mode.
    mode = "sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'"
    _all(connection, "SET SESSION TRANSACTION READ ONLY", f"SET SESSION {limit}", f"SET SESSION {mode}")


def _settle_sqlite(connection: Any) -> None:
    _all(connection, "PRAGMA query_only = ON", "PRAGMA trusted_schema = OFF")
    if sys.version_info >= (3, 12):  # Otherwise SQLite reads a name in double quotes that does not exist as a string.
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DQS_DML, False)
    # ATTACH could open another file, even if this one is opened read-only.
    refused = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)
    connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action in refused else sqlite3.SQLITE_OK)


def _all(connection: Any, *statements: str) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()


# By the URL's scheme.
FAMILIES = {
    "postgresql": DatabaseFamily(
        "PostgreSQL",
        "postgres",
        "postgresql+psycopg",
        lambda: {"connect_timeout": CONNECT_SECONDS},
        _settle_postgres,
    ),
    "mysql": DatabaseFamily("MySQL", "mysql", "mysql+pymysql", _mysql_arguments, _settle_mysql),
    "mariadb": DatabaseFamily("MariaDB", "mysql", "mariadb+pymysql", _mysql_arguments, _settle_mysql),
    "sqlite": DatabaseFamily("SQLite", "sqlite", "sqlite", dict, _settle_sqlite),
}


class SqlAlchemyDatabase:
    """A database that is reached through SQLAlchemy.

    Args:
        url: with the password in it.

    Raises:
        SetupError: this kind of database is not supported, or the URL names no file.
        MissingExtraError: its driver is not installed.
    """

    def __init__(self, url: URL) -> None:
        family = FAMILIES.get(url.get_backend_name())
        if family is None:
            hint = f"supported are: duckdb, {', '.join(FAMILIES)}"
            raise SetupError(f"databases with the URL scheme {url.drivername} are not supported", hint=hint)
        self._family, self.product, self.dialect = family, family.product, family.dialect
        self._engine = _engine(url, family)

    def read_schema(self) -> Schema:
        """See `Database`."""
        with self._connected() as connection:
            return read_schema(connection)

    def explain(self, sql: str) -> str | None:
        """See `Database`."""
        with self._connected() as connection:
            try:
                connection.exec_driver_sql(f"EXPLAIN {sql}")
            except SQLAlchemyError as error:
                return _error_message(error)
        return None

    def run(self, sql: str, max_rows: int) -> Rows:
        """See `Database`."""
        try:
            query = with_limit(sql, self.dialect, max_rows + 1)
        except SqlglotError as error:
            raise DatabaseError(f"only queries can run here: {error}") from error
        with self._connected() as connection:
            found = connection.exec_driver_sql(query)
            return as_rows(list(found.keys()), found.fetchmany(max_rows + 1), max_rows)

    def close(self) -> None:
        """See `Database`."""
        self._engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Yield a connection; its transaction is rolled back."""
        try:
            with self._engine.connect() as connection:
                # Otherwise the driver would read a `%` in the SQL as a parameter.
                connection.execution_options(no_parameters=True)
                if self._family.dialect == "sqlite":
                    _limit_sqlite(cast(sqlite3.Connection, connection.connection.driver_connection))
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseError(_error_message(error)) from error


def _engine(url: URL, family: DatabaseFamily) -> Engine:
    given = {"pool_pre_ping": True}
    try:
        if family.dialect == "sqlite":
            engine = create_engine("sqlite://", creator=_sqlite_opener(url), **given)
        else:
            url = url.set(drivername=family.driver)
            engine = create_engine(url, connect_args=family.arguments(), pool_timeout=CONNECT_SECONDS, **given)
    except ModuleNotFoundError as error:
        hint = "type: pip install 'quackllm[databases]'"
        raise MissingExtraError(f"{family.product} needs the package {error.name}", hint=hint) from error
    event.listen(engine, "connect", lambda connection, _: family.settle(connection))
    return engine


def _sqlite_opener(url: URL) -> Callable[[], sqlite3.Connection]:
    if not url.database or url.database == ":memory:":
        raise SetupError("the URL names no SQLite file", hint="write sqlite:////the/path/of/shop.sqlite")
    address = f"{Path(url.database).expanduser().resolve().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        connection.text_factory = _utf8  # A column may hold text in any encoding; it must not fail the whole query.
        return connection

    return connect


def _utf8(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _limit_sqlite(connection: sqlite3.Connection) -> None:
    deadline = monotonic() + STATEMENT_SECONDS
    connection.set_progress_handler(lambda: monotonic() > deadline, SQLITE_STEPS)


def _error_message(error: SQLAlchemyError) -> str:
    """Return the database's own error message; MySQL puts a number before it."""
    message = error.orig if isinstance(error, DBAPIError) and error.orig else error
    arguments = message.args
    return str(arguments[1] if len(arguments) == 2 and isinstance(arguments[0], int) else message).strip()
