"""CREATE TABLE as the manuals of some twenty systems write it: each form gives its table, columns, types and keys.

A file holds the forms of one system. Behind each stands what is read, one line for each table, foreign key and fault:

    => name {comment}: column TYPE pk {comment}, …
    => table.column -> table.column
    => ! what is left out, and where
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from quackllm.udf.text2sql.schema.ddl import Ddl, read_ddl
from quackllm.udf.text2sql.schema.lenient_ddl import parse_lenient
from quackllm.workers.database_schema import Column, Table

FOLDER = Path(__file__).parent / "ddl_corpus"
ENTRY = re.compile(r"(?P<ddl>.+?)\n(?P<told>(?:=> [^\n]*\n)+)\s*", re.DOTALL)
UNREADABLE = {"faults", "snowflake 15", "sqlite 11"}
"""Forms with a fault, and two whose columns only the database itself knows."""


def entries() -> Iterator[tuple[str, str, str]]:
    for path in sorted(FOLDER.glob("*.sql")):
        for number, found in enumerate(ENTRY.finditer(path.read_text("utf-8")), 1):
            yield f"{path.stem} {number}", found["ddl"], found["told"].rstrip("\n")


ENTRIES = list(entries())


def braced(comment: str) -> str:
    return f" {{{comment}}}" if comment else ""


def column_line(column: Column) -> str:
    kind = f" {column.type}" if column.type else ""
    return f"{column.name}{kind}{' pk' if column.primary_key else ''}{braced(column.comment)}"


def table_line(table: Table) -> str:
    return f"=> {table.name}{braced(table.comment)}: {', '.join(map(column_line, table.columns))}"


def told(ddl: Ddl) -> str:
    keys = [f"=> {k.table}.{k.column} -> {k.other_table}.{k.other_column}" for k in ddl.schema.foreign_keys]
    return "\n".join(
        [*map(table_line, ddl.schema.tables), *keys, *(f"=> ! {left}" for left in (*ddl.left_out, *ddl.guessed))]
    )


@pytest.mark.parametrize(("ddl", "expected"), [entry[1:] for entry in ENTRIES], ids=[entry[0] for entry in ENTRIES])
def test_every_form_is_read(ddl: str, expected: str) -> None:
    assert told(read_ddl(ddl)) == expected


def test_the_corpus_is_as_large_as_it_says() -> None:
    tables = sum(expected.count("\n=> ") + 1 - expected.count("=> !") for _, _, expected in ENTRIES)
    assert len(ENTRIES) >= 200, len(ENTRIES)
    assert tables >= 250, tables
    assert len(list(FOLDER.glob("*.sql"))) >= 12


def test_sound_ddl_leaves_nothing_out() -> None:
    """Whatever a manual writes is read whole: a column that were lost would stand in `left_out`, or be missed above."""
    unsound = {name for name, _, expected in ENTRIES if "=> !" in expected}
    assert {name if name in UNREADABLE else name.rpartition(" ")[0] for name in unsound} == UNREADABLE


def column_names(text: str) -> list[list[str]]:
    return [[column.name for column in table.columns] for table in parse_lenient(text).schema.tables]


@pytest.mark.parametrize("ddl", [entry[1] for entry in ENTRIES], ids=[entry[0] for entry in ENTRIES])
def test_forms_in_full_width_punctuation_and_windows_lines_give_the_same_columns(ddl: str) -> None:
    """What a Chinese keyboard types, and the line ends of Windows, change no name."""
    quoted = re.compile(
        r"('C:\\',|'(?:[^'\\]|''|\\.)*'|\"[^\"]*\"|--[^\n]*|#[^\n]*|//[^\n]*|/\*.*?\*/|`[^`]*`)", re.DOTALL
    )
    parts = quoted.split(ddl)
    parts[::2] = [part.translate(str.maketrans("(),;", "（），；")) for part in parts[::2]]
    for text in ("".join(parts), ddl.replace("\n", "\r\n")):
        assert column_names(text) == column_names(ddl)
