"""A database's tables, columns, keys and sample values, and its tables' names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .sql_text import quote_identifier


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: as the catalog spells it, unquoted.
        type: the SQL type, e.g. 'BIGINT'; '' where unknown.
        primary_key: part of the table's primary key.
        comment: from the catalog.
        examples: a few of its values as text, shown in the prompt.
        values: distinct values (more than `examples`) to match a question's words with; never all in the prompt.
        complete: whether `values` are all values of the column.
    """

    name: str
    type: str = ""
    primary_key: bool = False
    comment: str = ""
    examples: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `name` is what SQL must write to reach it: parts joined by dots, see `join_name` and `quote_path`."""

    name: str
    columns: tuple[Column, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`table.column` refers to `other_table.other_column`."""

    table: str
    column: str
    other_table: str
    other_column: str


@dataclass(frozen=True, slots=True)
class Schema:
    """A database as a model sees it."""

    name: str = ""
    tables: tuple[Table, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


def split_name(name: str) -> tuple[str, ...]:
    """Return the parts of a table's name; a part in double quotes may hold dots."""
    parts, rest = [], name
    while True:
        part, rest = read_name_part(rest, stops=".")
        parts.append(part)
        if not rest:
            return tuple(parts)
        rest = rest[1:]


def join_name(parts: Iterable[str]) -> str:
    """Return the name of these parts; one that holds a dot, or would not read back as it is, in double quotes."""
    return ".".join(write_name_part(part, ".") for part in parts)


def quote_path(name: str) -> str:
    """Return a table's name as SQL may write it: every part in double quotes."""
    return ".".join(map(quote_identifier, split_name(name)))


def _quoted(part: str) -> str:
    """Return a part in double quotes, on one line whatever it holds."""
    escaped = part.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '""')
    return f'"{escaped}"'


def read_name_part(text: str, stops: str) -> tuple[str, str]:
    """Read one name up to one of the stops; return it and the rest, which begins with the stop."""
    quoted = re.match(r'\s*"((?:[^"\\]|""|\\.)*)"\s*', text, re.DOTALL)
    if quoted and (quoted.end() == len(text) or text[quoted.end()] in stops):
        body = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], quoted[1], flags=re.DOTALL)
        return body.replace('""', '"'), text[quoted.end() :]
    end = min((at for at in (text.find(stop) for stop in stops) if at >= 0), default=len(text))
    return text[:end].strip().strip("`"), text[end:]


def write_name_part(part: str, specials: str) -> str:
    """Return one name as `read_name_part` reads it; in double quotes where it holds one of the special letters."""
    plain = part and part.isprintable() and part == part.strip() and part[0] not in "#【(["
    return part if plain and not any(letter in part for letter in specials + '"`') else _quoted(part)
