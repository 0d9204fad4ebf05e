"""DuckDB's errors as ours: with the statement that failed, and what to type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..udf.functions.macros import SCALAR, TABLE
from ..workers.errors import SetupError, did_you_mean

OUR_FUNCTIONS = SCALAR.keys() | TABLE.keys()
UNKNOWN_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist")
DUCKDB_SUGGESTION = re.compile(r'\nDid you mean "[^"\n]*"\?')


@contextmanager
def sql_errors(label: str) -> Iterator[None]:
    """Raise DuckDB's errors as `SetupError`, prefixed with a label such as 'statement 2, line 3'; '' for none."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        message, hint = _with_hint(str(error))
        raise SetupError(f"{label}: {message}" if label else message, hint=hint) from error


def _with_hint(message: str) -> tuple[str, str]:
    """Return DuckDB's message, and what to type where it names a function that is misspelt or is no deployed model."""
    if not (match := UNKNOWN_FUNCTION.search(message)):
        return message, ""
    if difflib.get_close_matches(match[1].lower(), OUR_FUNCTIONS):
        return DUCKDB_SUGGESTION.sub("", message), did_you_mean(match[1], OUR_FUNCTIONS)
    hint = f"if {match[1]} is a model:  quackllm list   shows those of this machine, with --cluster a cluster's"
    return message, hint
