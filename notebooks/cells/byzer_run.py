"""The statements of a cell of Byzer's SQL, run one after another on the notebook's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...udf.conversation_tables import TABLES_AND_VIEWS
from ...workers.errors import RequestError, did_you_mean
from ...workers.sql_text import quote_identifier
from .byzer_sql import AS_MODEL, SELECTS, first_word, parse_options, parse_select, split_statements
from .sql import run

if TYPE_CHECKING:
    from ... import Connection
    from ..display.result_table import Result
    from ..notebook_connection import NotebookConnection

COMMENT = "a table of a Byzer cell"
"""The comment on such a table: what has it may be replaced by the next cell."""
HINTS = {
    "load": "a %%sql cell reads files: CREATE TABLE t AS FROM 'data.csv'",
    "save": "a %%sql cell writes files: COPY t TO 'data.parquet'",
    "set": "a Python cell has variables, and SQL their values as {{name}} in a %chat, or SET VARIABLE name = …",
    "connect": "a %%sql cell opens databases: ATTACH 'shop.duckdb'",
    "finetune": "type: !quackllm finetune --method qlora --model-name … --train-file … --output-dir …",
    "merge": "type: !quackllm merge --adapter … --output-dir …",
    "convert": "a full training leaves its model ready in OUTPUT/final; there is nothing to convert",
}


def run_byzer_sql(notebook: NotebookConnection, text: str) -> Result | None:
    """Run the statements of a cell; return what the last one gave.

    Raises:
        RequestError: a statement that there is not here, with what to type in its place.
        QuackLLMError, duckdb.Error: what the connection raises.
    """
    result = None
    connection = notebook.connection()
    for statement in split_statements(text):
        first = first_word(statement)
        if first in SELECTS:
            result = _select(connection, statement)
        elif AS_MODEL.match(statement):
            print(_connect(connection, parse_options(statement)))
        elif first == "!byzerllm":
            _command(connection, statement.split()[1:])
        else:
            hint = HINTS.get(first, "a %%sql cell runs DuckDB's SQL, and `quackllm --help` lists the commands")
            raise RequestError(f"{first} is a statement of Byzer that quackllm does not have", hint=hint)
    return result


def _select(connection: Connection, statement: str) -> Result | None:
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
    for name, comment in connection.execute(TABLES_AND_VIEWS).fetchall():
        if name.lower() == table.lower() and comment != COMMENT:
            message = f"there is a table {name} already, which was not created by a Byzer cell"
            raise RequestError(message, hint="write another name after `as`")
    return quote_identifier(table)


def _connect(connection: Connection, options: dict[str, str]) -> str:
    """Say that the model of `run command as LLM` answers.

    Raises:
        RequestError: it is not deployed, or the statement wants something other than answers.
    """
    name, action = options.get("udfName", ""), options.get("action", "infer")
    if action != "infer":
        raise RequestError(f"{action} is a command here", hint=HINTS.get(action, "`quackllm --help` lists them"))
    models = _models(connection)
    if name in models:
        return f"{name} is deployed: SELECT llm_result({name}('…')), or --%chat and --%model={name}"
    hint = f"type: !quackllm deploy {name or 'NAME'} {_model_type(options)}"
    near = did_you_mean(name, models) if models else ""
    raise RequestError(f"no model is called {name!r}; {near}".rstrip("; "), hint=hint)


def _model_type(options: dict[str, str]) -> str:
    """Return a model's type and place, as `quackllm deploy` takes them; a key is not repeated."""
    model_type = options.get("pretrainedModelType", "custom/auto" if "localModelDir" in options else "saas/*")
    model_type = model_type.replace("*", "qianwen") if model_type.startswith("saas/") else "custom/auto"
    path = f" --model_path {options['localModelDir']}" if "localModelDir" in options else ""
    model = f" -p saas.model={options['saas.model']}" if "saas.model" in options else ""
    return f"{model_type}{path}{model}"


def _command(connection: Connection, arguments: list[str]) -> None:
    """Do what a `!byzerllm` command means here.

    Raises:
        RequestError: it is another program's; the hint says what to type.
    """
    match [word.strip("\"'") for word in arguments]:
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
            raise RequestError("type quackllm's command instead of byzerllm's", hint=hint)
        case _:
            raise RequestError("quackllm has no such byzerllm command", hint="type: !quackllm --help")


def _models(connection: Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM llm_models()").fetchall()]
