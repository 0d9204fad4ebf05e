"""Byzer's SQL in a cell: `select … as table1;`, `run command as LLM…`, `!byzerllm …`.

Read as Byzer's documentation says (docs.byzer.org): statements end with `;`, every SELECT names the table that it
makes, and the SQL inside is Spark's, where "text" is text and `map("k", "v")` a map.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

LONG_TEXT = re.compile(r"'''(.*?)'''", re.DOTALL)
TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)|'''.*?'''|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|(?P<end>;)|.""", re.DOTALL
)
FIRST_WORD = re.compile(r"\s*(!?\w+)")
AS_TABLE = re.compile(r"\s+as\s+([A-Za-z_]\w*)\s*$", re.IGNORECASE)
AS_MODEL = re.compile(r"\s*run\s+\w+\s+as\s+LLM\s*\.", re.IGNORECASE)
BYZER_FUNCTION = re.compile(r"""\bllm_\w+\s*\(|\bmap\s*\(\s*["']""", re.IGNORECASE)
OPTION = re.compile(r"""`?([\w.]+)`?\s*=\s*(?:'''(.*?)'''|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)')""", re.DOTALL)
SELECTS = ("select", "with")
OWN_SPELLING = {"llm_response_predict": "llm_result"}


def is_byzer_sql(text: str) -> bool:
    """Whether a cell can be nothing but Byzer's SQL: no Python, no shell command, and no SQL of DuckDB's."""
    statements = split_statements(text)
    first = first_word(statements[0]) if statements else ""
    if first == "!byzerllm" or (statements and AS_MODEL.match(statements[0])):
        return True
    if first != "select" or _is_python(text):
        return False
    return any(BYZER_FUNCTION.search(each) or (AS_TABLE.search(each) and not _is_duckdb(each)) for each in statements)


def split_statements(text: str) -> list[str]:
    """Return the statements of a cell, without comments; a command that begins with ! ends with its line too."""
    statements, current = [], ""
    for token in TOKEN.finditer(text):
        if token["end"] or (token[0] == "\n" and current.lstrip().startswith("!")):
            statements.append(current)
            current = ""
        else:
            current += " " if token["comment"] else token[0]
    return [statement.strip() for statement in (*statements, current) if statement.strip()]


def parse_options(statement: str) -> dict[str, str]:
    """Return what stands behind `where` in a statement, `key="value" and …`."""
    return {found[1]: found[2] or found[3] or found[4] or "" for found in OPTION.finditer(statement)}


@dataclass(frozen=True)
class ByzerSelect:
    """A SELECT of Byzer's.

    Args:
        sql: the same in DuckDB's SQL.
        table: the table that it makes; None: none.
    """

    sql: str
    table: str | None


def parse_select(statement: str) -> ByzerSelect:
    """Return what a SELECT of Byzer's means here."""
    import sqlglot
    from sqlglot import expressions as exp
    from sqlglot.errors import SqlglotError

    named = AS_TABLE.search(statement)
    text = LONG_TEXT.sub(_as_text, statement[: named.start()] if named else statement)
    try:
        tree = sqlglot.parse_one(text, read="spark")
        for call in tree.find_all(exp.Anonymous):
            call.set("this", OWN_SPELLING.get(call.name.lower(), call.name))
        text = tree.sql(dialect="duckdb", normalize_functions=False)
    except SqlglotError:
        pass  # DuckDB says what is wrong with it, in its own words.
    return ByzerSelect(text, named[1] if named else None)


def _as_text(found: re.Match[str]) -> str:
    """Return what stands between Byzer's triple quotes as a text of Spark's."""
    return "'" + found[1].replace("\\", "\\\\").replace("'", "\\'") + "'"


def byzer_hint(text: str) -> str | None:
    """Return what to type where DuckDB refused SQL that is Byzer's; None where it is not."""
    statements = split_statements(text)
    if any(first_word(each) == "!byzerllm" or AS_MODEL.match(each) for each in statements):
        return "this is Byzer's: begin the cell with %%byzer"
    for statement in statements:
        if first_word(statement) in SELECTS and (named := AS_TABLE.search(statement)) and not _is_duckdb(statement):
            return f"type: CREATE OR REPLACE TABLE {named[1]} AS SELECT …   or begin the cell with %%byzer"
        if re.search(r"\bmap\s*\(", statement, re.IGNORECASE):
            return "type: MAP {'key': 'value'} for map(\"key\", \"value\")   or begin the cell with %%byzer"
    return None


def first_word(statement: str) -> str:
    """Return the word that says what a statement is."""
    found = FIRST_WORD.match(statement)
    return found[1].lower() if found else ""


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _is_duckdb(statement: str) -> Any:
    import duckdb

    try:
        return bool(duckdb.extract_statements(statement))
    except duckdb.Error:
        return False
