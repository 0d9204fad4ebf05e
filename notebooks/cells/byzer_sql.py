"""Byzer's SQL in a cell: `select … as table1;`, `run command as LLM…`, `!byzerllm …`.

Read as Byzer's documentation says (docs.byzer.org): statements end with `;`, every SELECT names the table that it
makes, and the SQL inside is Spark's, where "text" is text and `map("k", "v")` a map.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...workers.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from ... import Connection
    from ..display.result_table import Result
    from ..notebook_connection import NotebookConnection

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
COMMENT = "a table of a Byzer cell"
"""The comment on such a table: what has it may be replaced by the next cell."""
OWN_SPELLING = {"llm_response_predict": "llm_result"}
HINTS = {
    "load": "a %%sql cell reads files: CREATE TABLE t AS FROM 'data.csv'",
    "save": "a %%sql cell writes files: COPY t TO 'data.parquet'",
    "set": "a Python cell has variables, and SQL their values as {{name}} in a %chat, or SET VARIABLE name = …",
    "connect": "a %%sql cell opens databases: ATTACH 'shop.duckdb'",
    "finetune": "type: !quackllm finetune --method qlora --model-name … --train-file … --output-dir …",
    "merge": "type: !quackllm merge --adapter … --output-dir …",
    "convert": "a full training leaves its model ready in OUTPUT/final; there is nothing to convert",
}


def is_byzer_sql(text: str) -> bool:
    """Whether a cell can be nothing but Byzer's SQL: no Python, no shell command, and no SQL of DuckDB's."""
    statements = split_statements(text)
    first = _first_word(statements[0]) if statements else ""
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


def run_byzer_sql(place: NotebookConnection, text: str) -> Result | None:
    """Run the statements of a cell; return what the last one gave.

    Raises:
        RequestError: a statement that there is not here, with what to type in its place.
        QuackLLMError, duckdb.Error: what the connection raises.
    """
    result = None
    connection = place.connection()
    for statement in split_statements(text):
        first = _first_word(statement)
        if first in SELECTS:
            result = _select(connection, statement)
        elif AS_MODEL.match(statement):
            print(_connect(connection, parse_options(statement)))
        elif first == "!byzerllm":
            _command(connection, statement.split()[1:])
        else:
            hint = HINTS.get(first, "a %%sql cell runs DuckDB's SQL, and `quackllm --help` lists the commands")
            raise RequestError(f"{first} is a statement of Byzer's that there is not here", hint=hint)
    return result


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
    if any(_first_word(each) == "!byzerllm" or AS_MODEL.match(each) for each in statements):
        return "this is Byzer's: begin the cell with %%byzer"
    for statement in statements:
        if _first_word(statement) in SELECTS and (named := AS_TABLE.search(statement)) and not _is_duckdb(statement):
            return f"type: CREATE OR REPLACE TABLE {named[1]} AS SELECT …   or begin the cell with %%byzer"
        if re.search(r"\bmap\s*\(", statement, re.IGNORECASE):
            return "type: MAP {'key': 'value'} for map(\"key\", \"value\")   or begin the cell with %%byzer"
    return None


def _select(connection: Connection, statement: str) -> Result | None:
    from .sql import run

    select = parse_select(statement)
    if select.table is None:
        return run(connection, select.sql)
    name = _checked(connection, select.table)
    run(connection, f"CREATE OR REPLACE TABLE {name} AS {select.sql}")
    run(connection, f"COMMENT ON TABLE {name} IS '{COMMENT}'")
    return run(connection, f"FROM {name}")


def _checked(connection: Connection, table: str) -> str:
    """Return a table's name in quotes.

    Raises:
        RequestError: it is the name of a table that no such cell has made.
    """
    from ...udf.conversation_tables import TABLES_AND_VIEWS
    from ...workers.sql_text import quote_identifier

    for name, comment in connection.execute(TABLES_AND_VIEWS).fetchall():
        if name.lower() == table.lower() and comment != COMMENT:
            message = f"there is a table {name} already, which no Byzer cell has made"
            raise RequestError(message, hint="write another name behind `as`")
    return quote_identifier(table)


def _connect(connection: Connection, options: dict[str, str]) -> str:
    """Say that the model of `run command as LLM` answers.

    Raises:
        RequestError: it is not deployed, or something else than answering is asked for.
    """
    name, action = options.get("udfName", ""), options.get("action", "infer")
    if action != "infer":
        raise RequestError(f"{action} is a command here", hint=HINTS.get(action, "`quackllm --help` lists them"))
    models = _models(connection)
    if name in models:
        return f"{name} is deployed: SELECT llm_result({name}('…')), or --%chat and --%model={name}"
    hint = f"type: !quackllm deploy {name or 'NAME'} {_type_of(options)}"
    near = did_you_mean(name, models) if models else ""
    raise RequestError(f"no model is called {name!r}; {near}".rstrip("; "), hint=hint)


def _type_of(options: dict[str, str]) -> str:
    """Return a model's type and place, as `quackllm deploy` takes them; a key is not repeated."""
    kind = options.get("pretrainedModelType", "custom/auto" if "localModelDir" in options else "saas/*")
    kind = kind.replace("*", "qianwen") if kind.startswith("saas/") else "custom/auto"
    path = f" --model_path {options['localModelDir']}" if "localModelDir" in options else ""
    model = f" -p saas.model={options['saas.model']}" if "saas.model" in options else ""
    return f"{kind}{path}{model}"


def _command(connection: Connection, words: list[str]) -> None:
    """Do what a `!byzerllm` command means here.

    Raises:
        RequestError: it is another program's; the hint says what to type.
    """
    match [word.strip("\"'") for word in words]:
        case ["setup", *_]:
            return  # How the next model is deployed; here `quackllm deploy` says it.
        case ["model", "exists", name]:
            print(f"{name}: {'deployed' if name in _models(connection) else 'not deployed'}")
        case ["model", "list"]:
            print(*_models(connection), sep="\n")
        case ["model", "remove", name]:
            raise RequestError("a model is removed by a command", hint=f"type: !quackllm undeploy {name}")
        case [command, *_] if command in ("deploy", "undeploy"):
            hint = f"type: !quackllm {command} …, with the same options"
            raise RequestError("byzerllm's commands are quackllm's here", hint=hint)
        case _:
            raise RequestError("byzerllm has no such command here", hint="type: !quackllm --help")


def _models(connection: Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM llm_models()").fetchall()]


def _first_word(statement: str) -> str:
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
