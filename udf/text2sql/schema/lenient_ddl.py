"""DDL read tolerantly, statement by statement: any database's, and with faults that none would take."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import duckdb
import sqlglot

from ....workers.mschema import Column, Schema, Table, join_name
from ..checks.sandbox import ask
from .inferred_keys import Keys, add_keys

NAME = r'(?:"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|[\w$]+)'
PATH = rf"{NAME}(?:\s*\.\s*{NAME})*"
STRING = r"(?:'(?:[^'\\]|''|\\.)*'|\"(?:[^\"\\]|\"\"|\\.)*\")"
TOKEN = re.compile(rf"{STRING}|`[^`]*`|--[^\n]*|/\*.*?\*/|.", re.DOTALL)
CREATE = re.compile(rf"\bCREATE\s[^(;]{{0,80}}?\bTABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?({PATH})\s*(?=\()", re.IGNORECASE)
# COMMENT, however it is spelled, and whatever ends the statement before.
COMMENT_ON = re.compile(rf"\bCO\w{{3,6}}\s+ON\s+(TABLE|COLUMN)\s+({PATH})\s+IS\s+({STRING})", re.IGNORECASE)
ALTER = re.compile(rf"\bALTER\s+TABLE\s+(?:ONLY\s+)?({PATH})\s+ADD\s+([^;]*)", re.IGNORECASE)
COMMENT = re.compile(rf"\bCOMMENT\s*=?\s*({STRING})", re.IGNORECASE)
CONSTRAINT = re.compile(
    r"\s*(?:CONSTRAINT\b|PRIMARY\s+KEY\b|FOREIGN\s+KEY\b|UNIQUE\b|CHECK\b|EXCLUDE\b|(?:FULLTEXT\s+|SPATIAL\s+)?(?:KEY|INDEX)\b)",
    re.IGNORECASE,
)
PRIMARY = re.compile(r"\bPRIMARY\s+KEY\s*\(([^)]*)\)", re.IGNORECASE)
REFERENCES = re.compile(rf"\bREFERENCES\s+({PATH})\s*(?:\(([^)]*)\))?", re.IGNORECASE)
FOREIGN = re.compile(rf"\bFOREIGN\s+KEY\s*(?:{NAME}\s*)?\(([^)]*)\)\s*{REFERENCES.pattern}", re.IGNORECASE)
# A string or brackets, as of ENUM('on', 'off'), or the first word behind a type.
AFTER_TYPE = re.compile(
    rf"{STRING}|\((?:{STRING}|[^()'\"])*\)|"
    r"\b(NOT|NULL|DEFAULT|PRIMARY|REFERENCES|UNIQUE|CHECK|COLLATE|CHARACTER\s+SET|CHARSET|COMMENT|AUTO_?INCREMENT"
    r"|GENERATED|CONSTRAINT|IDENTITY|ON|AS|ENCODE|STORAGE)\b",
    re.IGNORECASE,
)
LONGEST_TYPE = 20_000
"""Letters of a type that are read: more than any ENUM has, few enough to be read in a moment."""
SERIAL = {"smallserial": "smallint", "serial": "integer", "bigserial": "bigint"}


def read_tolerantly(text: str) -> Schema:
    """Return the tables, columns, comments and keys that a DDL text tells, whatever else is in it."""
    tables: dict[str, Table] = {}
    keys: dict[str, Keys] = {}
    created = list(CREATE.finditer(text))
    ends = [*(found.start() for found in created[1:]), len(text)]
    for found, end in zip(created, ends, strict=False):
        name = join_name(unquoted_path(found[1]))
        body = _inside(text, found.end(), end)
        items = list(_items(body))
        columns = [_column(item) for item in items if not CONSTRAINT.match(item)]
        tail = text[found.end() + len(body) + 1 : end].partition(";")[0]
        tables[name.lower()] = Table(name, tuple(filter(None, columns)), _comment(tail))
        keys[name] = _keys(items)
    for name, change in ALTER.findall(text):
        name = join_name(unquoted_path(name))
        keys[name] = keys.get(name, Keys()) | _keys([change])
    for kind, path, comment in COMMENT_ON.findall(text):
        _put_comment(tables, kind.upper(), unquoted_path(path), _unquoted(comment))
    return add_keys(Schema(tables=tuple(tables.values())), keys)


def unquoted_path(path: str) -> tuple[str, ...]:
    """Return the parts of a dotted name, without their quotes."""
    return tuple(_unquoted(name) for name in re.findall(NAME, path))


def _unquoted(text: str) -> str:
    """Return what a quoted name or string says."""
    text = text.strip()
    quote = text[:1]
    if quote in ("'", '"', "`") and len(text) > 1:
        return text[1:-1].replace(quote * 2, quote)
    return text[1:-1] if quote == "[" else text


def without_comments(text: str) -> str:
    """Return SQL text without its comments."""
    return "".join(_tokens(text))


def _tokens(text: str) -> Iterator[str]:
    """Yield strings, quoted names and single letters; a comment is a space."""
    for found in TOKEN.finditer(text):
        yield " " if found[0].startswith(("--", "/*")) else found[0]


def _inside(text: str, start: int, end: int) -> str:
    """Return what stands in the brackets that open at `start`, up to `end` where they do not close before it."""
    depth = 0
    for found in TOKEN.finditer(text, start, end):
        depth += (found[0] == "(") - (found[0] == ")")
        if depth == 0:
            return text[start + 1 : found.start()]
    return text[start + 1 : end]


def _items(body: str) -> Iterator[str]:
    """Yield what stands between the commas of a table's body."""
    item, depth = "", 0
    for token in _tokens(body):
        depth += (token == "(") - (token == ")")
        if token == "," and depth == 0:
            yield item
            item = ""
        else:
            item += token
    yield item


def _column(item: str) -> Column | None:
    found = re.match(rf"\s*({NAME})\s*(.*)", item, re.DOTALL)
    if not found:
        return None
    return Column(_unquoted(found[1]), read_type(found[2]), comment=_comment(found[2]))


def _comment(text: str) -> str:
    found = COMMENT.search(text)
    return _unquoted(found[1]) if found else ""


def read_type(rest: str) -> str:
    """Return DuckDB's name of the type that any dialect's column begins with behind its name."""
    return _duckdb_type(_type_text(rest))


def _type_text(rest: str) -> str:
    """Return a column's type: what stands before its first constraint."""
    end = next((found.start() for found in AFTER_TYPE.finditer(rest) if found[1]), len(rest))
    return " ".join(rest[:end].split())


@lru_cache(maxsize=1024)
def _duckdb_type(text: str) -> str:
    """Return DuckDB's name of a type in any dialect; a type unknown to it stays as it is."""
    text = SERIAL.get(text.lower(), text)
    if len(text) > LONGEST_TYPE:
        return text.upper()
    for dialect in ("duckdb", "postgres", "mysql", "tsql", "oracle"):
        try:
            kind = sqlglot.exp.DataType.build(text, dialect=dialect)
        except (sqlglot.errors.SqlglotError, ValueError, RecursionError):
            continue
        if kind.this not in (sqlglot.exp.DType.DECIMAL, sqlglot.exp.DType.ENUM) and not kind.args.get("nested"):
            kind.set("expressions", None)  # int(11) and varchar(32): the width says nothing in DuckDB.
        try:
            return str(ask(f"SELECT typeof(NULL::{kind.sql('duckdb')})")[0][0])
        except duckdb.Error:
            continue
    return text.upper()


def _keys(items: list[str]) -> Keys:
    keys = Keys()
    for item in items:
        if primary := PRIMARY.search(item):
            keys |= Keys(primary=_names(primary[1]))
        if foreign := FOREIGN.search(item):
            keys |= _reference(_names(foreign[1]), foreign[2], foreign[3])
        if not CONSTRAINT.match(item) and (name := re.match(rf"\s*({NAME})", item)):
            if re.search(r"\bPRIMARY\s+KEY\b", item, re.IGNORECASE) and not PRIMARY.search(item):
                keys |= Keys(primary=(_unquoted(name[1]),))
            if (reference := REFERENCES.search(item)) and not FOREIGN.search(item):
                keys |= _reference((_unquoted(name[1]),), reference[1], reference[2])
    return keys


def _reference(columns: tuple[str, ...], other: str, other_columns: str | None) -> Keys:
    """Return a foreign key; one that names no columns refers to columns of the same names."""
    return Keys(
        foreign=((columns, join_name(unquoted_path(other)), _names(other_columns) if other_columns else columns),)
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(_unquoted(re.sub(r"\(\d+\)|\s+(ASC|DESC)\s*$", "", name, flags=re.I)) for name in text.split(","))


def _put_comment(tables: dict[str, Table], kind: str, path: tuple[str, ...], comment: str) -> None:
    """Give a table or a column its comment; a name that is slightly wrong means the near one."""
    name = join_name(path if kind == "TABLE" else path[:-1]).lower()
    near = name if name in tables else next(iter(difflib.get_close_matches(name, tables, n=1, cutoff=0.85)), None)
    if near is None:
        return
    table = tables[near]
    if kind == "TABLE":
        tables[near] = replace(table, comment=comment)
        return
    names = [column.name for column in table.columns]
    column = next(iter(difflib.get_close_matches(path[-1], names, n=1, cutoff=0.85)), None)
    columns = tuple(replace(c, comment=comment) if c.name == column else c for c in table.columns)
    tables[near] = replace(table, columns=columns)
