"""Reading the user's own views and macros, which a statement may name in place of a model."""

from __future__ import annotations

import re

import duckdb

from ..raw_sql import execute_raw
from ..session.definitions import CALLED, WORD, Definitions, Macro, definitions_version
from ..session.session import Session
from .builtin_functions import builtin_functions
from .modes import MODEL_FUNCTIONS

VIEWS = "SELECT lower(view_name), sql FROM duckdb_views() WHERE NOT internal"
FUNCTIONS = (
    "SELECT lower(function_name), macro_definition, stability, parameters, function_type FROM duckdb_functions() "
    "WHERE NOT internal AND (macro_definition IS NULL OR macro_definition NOT LIKE '%quackllm_%')"
)
OUR_PREFIXES = ("llm_", "quackllm_")
QUOTED_CALL = re.compile(r'"\s*\(')
MAY_NAME_ONE = re.compile(r"\b(from|join|using|into)\b|\(", re.IGNORECASE)


def read_definitions(connection: duckdb.DuckDBPyConnection, session: Session, text: str) -> Definitions:
    """Return what is defined. Functions are read only if something is called that neither DuckDB nor we have.

    Args:
        connection, session: where the statement runs.
        text: the statement.
    """
    if session.definitions.version != definitions_version():
        session.definitions = Definitions(definitions_version(), dict(execute_raw(connection, VIEWS)))
        text = "\n".join([text, *session.definitions.views.values()])
    found, called = session.definitions, set(CALLED.findall(text.lower()))
    if QUOTED_CALL.search(text):  # Its name may be more than a word.
        called.add('"')
    known = builtin_functions(connection).names | session.deployed if called else frozenset()
    unknown = {name for name in called - known if not name.startswith(OUR_PREFIXES)}
    if not unknown <= found.looked_up:
        macros: dict[str, list[Macro]] = {}
        rows = execute_raw(connection, FUNCTIONS)
        for name, sql, _, parameters, function_type in rows:
            if sql:
                macro = Macro(tuple(map(str.lower, parameters)), sql, function_type == "table_macro")
                macros.setdefault(name, []).append(macro)
        found.set_macros(macros, (name for name, _, stability, *_ in rows if stability == "VOLATILE"), unknown)
    return found


def calling_names(connection: duckdb.DuckDBPyConnection, session: Session, text: str) -> frozenset[str]:
    """Return the words of a statement that may be a view or a macro which calls a model."""
    if not MAY_NAME_ONE.search(text):
        return frozenset()
    calling = read_definitions(connection, session, text).calling(session.deployed | MODEL_FUNCTIONS)
    return calling.intersection(WORD.findall(text.lower())) if calling else calling
