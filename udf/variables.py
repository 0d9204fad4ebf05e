"""What a statement's user wishes of it: the SQL variables, over `settings.yaml`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import duckdb
from pydantic import ValidationError

from ..workers.errors import RequestError
from .raw_sql import execute_raw
from .settings import StatementOptions, load_settings

__all__ = ["StatementOptions", "options_from_variables", "read_statement_options", "read_variables"]

EXAMPLES = {
    "llm_store": "'on'   ('off', 'refresh')",
    "llm_prefetch": "'on'   ('off')",
    "llm_progress": "'auto'   ('on', 'off', 'log')",
    "llm_max_calls": "2000",
    "llm_max_tokens": "1000000",
    "llm_max_money": "0.5",
    "llm_check_rows": "'on'   ('off')",
    "llm_min_confidence": "0.5",
    "llm_accuracy": "0.95",
    "llm_recall": "0.9",
    "llm_precision": "0.9",
    "llm_confidence": "0.95",
    "llm_helper": "'small'",
    "llm_proxy": "'builtin_encoder'   ('off')",
}
TYPO_CUTOFF = 0.9
"""How alike two names are when one is held to be the other, mistyped."""


def read_statement_options(connection: duckdb.DuckDBPyConnection) -> StatementOptions:
    """Return what holds for the next statement: the SQL variables that are set, and for the rest `settings.yaml`.

    Raises:
        RequestError, SetupError: as `wishes_of`.
    """
    return options_from_variables(read_variables(connection))


def read_variables(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the connection's SQL variables whose names begin as ours do."""
    rows = execute_raw(connection, "SELECT name, value FROM duckdb_variables() WHERE starts_with(name, 'llm_')")
    return {name: value for name, value in rows if value is not None}


def options_from_variables(variables: Mapping[str, str]) -> StatementOptions:
    """Return what these variables say, over `settings.yaml`.

    Raises:
        RequestError: a variable has a wrong value, or nearly the name of one of ours: a limit that is
            mistyped would be none.
        SetupError: `settings.yaml` cannot be read.
    """
    for name in variables.keys() - EXAMPLES.keys():
        if near := difflib.get_close_matches(name, EXAMPLES, n=1, cutoff=TYPO_CUTOFF):
            raise RequestError(
                f"there is no variable {name}",
                hint=f"type: RESET VARIABLE {name}; SET VARIABLE {near[0]} = {EXAMPLES[near[0]]}",
            )
    options = load_settings().model_dump(include=set(StatementOptions.model_fields))
    options |= {name: _read(value) for name, value in variables.items() if name in EXAMPLES}
    try:
        return StatementOptions.model_validate(options)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        hint = f"type: SET VARIABLE {name} = {EXAMPLES[name]}"
        raise RequestError(f"{name} is {variables[name]!r}", hint=hint) from None


def _read(value: str) -> str | bool:
    """Return a boolean as one: DuckDB's list of variables holds nothing but text."""
    return {"true": True, "false": False}.get(value, value)
