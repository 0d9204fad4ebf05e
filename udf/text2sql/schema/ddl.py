"""The schema that a DDL text describes: DuckDB's, another database's, or one with faults."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import duckdb
import sqlglot

from ....workers.mschema import Column, Schema, Table, join_name
from ..checks.sandbox import ask, locked_instance
from .catalog import read_declared_schema
from .inferred_keys import Keys, add_inferred_keys, add_keys, read_key_lines
from .lenient_ddl import PATH, read_tolerantly, unquoted_path, without_comments

CREATE = rf"CREATE\s+(?:OR\s+REPLACE\s+)?(?:\w+\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{PATH})"
CREATE_TABLE = re.compile(CREATE, re.IGNORECASE)
CREATE_AS = re.compile(rf'{CREATE}\s*(?:\((?:"(?:[^"]|"")*"|[^()"])*\)\s*)?AS\b', re.IGNORECASE)
# What makes tables and no rows: the text may come from anywhere. An ENUM could be made of a query's rows.
RUN = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP\w*\s+)?(?:TABLE|VIEW|SCHEMA|TYPE\s+\S+\s+AS\s+(?!ENUM\s*\(\s*[^'\s]))\b"
    r"|ALTER\b|COMMENT\b",
    re.IGNORECASE,
)
INLINE_COMMENT = re.compile(r"^\s*[\"`]?(\w+)[\"`]?\s[^\n]*?--[ \t]*(.+?)[ \t]*$", re.MULTILINE)
JOINED_WITH = re.compile(r"--\s*([\w.]+)\.(\w+) can be joined with ([\w.]+)\.(\w+)", re.IGNORECASE)
NAME = r'"(?:[^"]|"")+"|[A-Za-z_]\w*'
# As DuckDB itself calls them: other spellings are for DuckDB to read.
PLAIN_COLUMN = rf"\s*(?:{NAME})\s+(?:VARCHAR|BOOLEAN|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|DATE|TIMESTAMP)\s*"
PLAIN_TABLE = re.compile(
    rf"\s*CREATE TABLE (?P<name>{NAME})\s*\((?P<columns>{PLAIN_COLUMN}(?:,{PLAIN_COLUMN})*)\)\s*", re.ASCII
)
COLUMN = re.compile(rf"({NAME})\s+(\w+)\s*(?:,|$)", re.ASCII)
DIALECTS = ("duckdb", "postgres", "mysql", "sqlite", "tsql", "oracle")


@dataclass(frozen=True, slots=True)
class Ddl:
    """A DDL text that was read; `bindable` where it is sound SQL of DuckDB or of another database."""

    schema: Schema
    bindable: bool


def is_ddl(text: str) -> bool:
    """Whether a text creates tables."""
    return CREATE_TABLE.search(text) is not None


@lru_cache(maxsize=64)
def read_ddl(text: str) -> Ddl:
    """Return the schema of a DDL text.

    DuckDB reads it where it can, in an empty instance of its own; else it is read statement by statement, whatever
    the database it was written for and whatever is wrong in it. Keys are those of the constraints and of the lines
    `-- primary key: a, b` and `-- foreign key: b -> other(c)` behind a table.
    """
    schema = _read_plain(text) or _read_by_duckdb(text)
    bindable = schema is not None or any(_is_sound(text, dialect) for dialect in DIALECTS)
    if schema is None:
        schema = read_tolerantly(text)
    schema = add_keys(_with_inline_comments(replace(schema, name=""), text), dict(_comment_keys(text)))
    return Ddl(add_inferred_keys(schema), bindable)


def _read_plain(text: str) -> Schema | None:
    """Return the schema of a text so plain that DuckDB would surely read the same; it takes 50 ms, and this none."""
    found = [PLAIN_TABLE.fullmatch(statement) for statement in text.split(";") if statement.strip()]
    read = [
        (_plain_name(one["name"]), [(_plain_name(name), kind) for name, kind in COLUMN.findall(one["columns"])])
        for one in found
        if one
    ]
    names = [[name for name, _ in read], *([name for name, _ in columns] for _, columns in read)]
    if not all(found) or not all(all(some) and len({name.lower() for name in some}) == len(some) for some in names):
        return None
    tables = (Table(join_name([name]), tuple(Column(*column) for column in columns)) for name, columns in read)
    return Schema(tables=tuple(tables))


def _plain_name(name: str) -> str:
    """Return the name that a text gives; '' for one that DuckDB reads as a word of its own."""
    if name.startswith('"'):
        return name[1:-1].replace('""', '"')
    return "" if name.lower() in _keywords() else name


@lru_cache(maxsize=1)
def _keywords() -> frozenset[str]:
    rows = ask("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'")
    return frozenset(str(name) for (name,) in rows)


def _read_by_duckdb(text: str) -> Schema | None:
    """Return the schema as DuckDB reads it, or None where it does not."""
    with locked_instance() as connection:
        try:
            for found in CREATE_TABLE.finditer(text):
                _create_places(connection, unquoted_path(found["name"])[:-1])
            for statement in connection.extract_statements(text):
                sql = without_comments(statement.query).strip(" \t\r\n;")
                if RUN.match(sql):
                    connection.execute(f"{sql} WITH NO DATA" if CREATE_AS.match(sql) else sql)
            return read_declared_schema(connection)[0]
        except duckdb.Error:
            return None


def _create_places(connection: duckdb.DuckDBPyConnection, path: tuple[str, ...]) -> None:
    quoted = ['"' + part.replace('"', '""') + '"' for part in path]
    if len(path) > 1:
        connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {quoted[0]}")
    if path and path[0].lower() != "temp":
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {'.'.join(quoted)}")


def _is_sound(text: str, dialect: str) -> bool:
    """Whether a database of that dialect would take every CREATE TABLE of the text; not so what is nested too deep."""
    logger = logging.getLogger("sqlglot")
    logger.addFilter(_no_fallback)
    try:
        trees = sqlglot.parse(text, read=dialect)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return False
    finally:
        logger.removeFilter(_no_fallback)
    return not any(isinstance(tree, sqlglot.exp.Command) and is_ddl(tree.sql()) for tree in trees)


def _no_fallback(record: logging.LogRecord) -> bool:
    """Leave out what sqlglot says of each statement that it did not understand: trying is the point here."""
    return "Falling back to parsing as a 'Command'" not in record.getMessage()


def _with_inline_comments(schema: Schema, text: str) -> Schema:
    """Give the columns the comments behind their lines: `price DECIMAL(10,2), -- price of one unit`."""
    tables = {table.name.lower(): table for table in schema.tables}
    for name, part in _parts(text):
        comments = {column.lower(): comment for column, comment in INLINE_COMMENT.findall(part)}
        if name.lower() in tables and comments:
            table = tables[name.lower()]
            columns = tuple(_with_comment(column, comments) for column in table.columns)
            tables[name.lower()] = replace(table, columns=columns)
    return replace(schema, tables=tuple(tables.values()))


def _with_comment(column: Column, comments: dict[str, str]) -> Column:
    return replace(column, comment=column.comment or comments.get(column.name.lower(), ""))


def _comment_keys(text: str) -> Iterator[tuple[str, Keys]]:
    """Yield each table's keys that stand in comments."""
    for name, part in _parts(text):
        lines = "\n".join(line for line in part.split("\n") if line.lstrip().startswith("--"))
        yield name, read_key_lines(lines)[1]
    for table, column, other, other_column in JOINED_WITH.findall(text):
        yield table, Keys(foreign=(((column,), other, (other_column,)),))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield each table's name with the text from its CREATE to the next."""
    starts = list(CREATE_TABLE.finditer(text))
    ends = [found.start() for found in starts[1:]] + [len(text)]
    for found, end in zip(starts, ends, strict=True):
        yield join_name(unquoted_path(found["name"])), text[found.start() : end]
