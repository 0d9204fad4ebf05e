"""Parses the prompts that Chat2DB sends. Source: `buildPrompt` of its ChatController, 2023."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....udf.text2sql.checks.transpile import find_dialect
from ....udf.text2sql.schema.ddl import is_ddl
from ....udf.text2sql.schema.ddl_tokens import PATH, unquoted_path
from ....udf.text2sql.schema.inferred_keys import add_inferred_keys
from ....workers.database_schema import Column, Schema, Table, join_name
from ....workers.errors import RequestError
from ....workers.mschema import format_mschema

TASK = re.compile(r"请根据以下\s?(?:table properties和)?\s?SQL input(?P<task>[^.。\n]{0,40})")
# The headings before each part; the patterns are short, because anyone may send half a megabyte of prompt.
TABLES, INPUT, TARGET = "SQL tables, with their properties:", "SQL input:", "目标SQL类型:"
OTHER_TASKS = ("解释", "优化", "转换", "explain", "optimi", "convert sql")
TO_SQL = ("自然语言", "natural language")
TABLE_LINE = re.compile(rf"\s*({PATH})\s*\(([^()]*)\)\s*\Z")
STATEMENT = re.compile(
    r"\b(?:CREATE\b[^;]{0,60}?\bTABLE|ALTER\s{1,9}TABLE|COMMENT\s{1,9}ON)\b.*?(?:;|\n\s*\n|\n\s*#|\Z)",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """A parsed prompt.

    Args:
        question: the user's question.
        schema: its tables, as DDL or M-Schema text; '' if it has none.
        dialect: sqlglot's name of the wanted SQL dialect; None: not given, or unknown.
        wants_sql: whether it asks for SQL, not for an explanation or an optimisation of SQL.
    """

    question: str
    schema: str = ""
    dialect: str | None = None
    wants_sql: bool = True


def parse_prompt(text: str) -> ParsedPrompt:
    """Parse a prompt: Chat2DB's, a question after CREATE TABLE statements, or a question alone."""
    before, found, question_part = text.partition(INPUT)
    if not found:
        ddl = "\n".join(statement[0] for statement in STATEMENT.finditer(text))
        question = " ".join(STATEMENT.sub(" ", text).split()) if ddl else text.strip()
        return ParsedPrompt(question or text.strip(), ddl)
    task_match = TASK.search(text)
    task = task_match["task"].lower() if task_match else ""
    wants_sql = any(word in task for word in TO_SQL) or not any(word in task for word in OTHER_TASKS)
    heading, _, tables = before.partition(TABLES)
    database_type = heading.rpartition("\n")[2].strip("# ") if tables else ""
    return ParsedPrompt(
        question_part.partition(TARGET)[0].strip("# \n"),
        _schema(tables.rstrip("# \n")),
        _dialect(database_type),
        wants_sql,
    )


def _schema(tables: str) -> str:
    """Return the tables in a form that text2sql accepts: newer versions send DDL, older ones `singer(name, age)`."""
    if is_ddl(tables):
        return "\n".join(line.removeprefix("#").strip() for line in tables.splitlines())
    found = [TABLE_LINE.match(line.strip("# \t")) for line in tables.splitlines()]
    schema = Schema(tables=tuple(_table(line[1], line[2]) for line in found if line))
    return format_mschema(add_inferred_keys(schema)) if schema.tables else ""


def _table(name: str, columns: str) -> Table:
    names = (column.strip().strip('`"[]') for column in columns.split(","))
    return Table(join_name(unquoted_path(name)), tuple(Column(column) for column in names if column))


def _dialect(database_type: str) -> str | None:
    try:
        return find_dialect(database_type) if database_type.strip() else None
    except RequestError:
        return None
