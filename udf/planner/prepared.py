"""Prepared statements: EXECUTE is planned as the statement that PREPARE was given, with its values."""

from __future__ import annotations

import re
from typing import Any

import duckdb

from ..raw_sql import execute_raw
from ..session.session import Session

NAME = r"\"?(\w+)\"?"
PREPARE = re.compile(rf"\s*PREPARE\s+{NAME}\s*(?:\([^)]*\)\s*)?AS\s+(.*)", re.IGNORECASE | re.DOTALL)
EXECUTE = re.compile(rf"\s*EXECUTE\s+{NAME}\s*(?:\((.*)\))?[\s;]*", re.IGNORECASE | re.DOTALL)
DEALLOCATE = re.compile(rf"\s*DEALLOCATE\s+(?:PREPARE\s+)?{NAME}", re.IGNORECASE)
EXECUTED = re.compile(rf"\bEXECUTE\s+{NAME}", re.IGNORECASE)


def remember_prepared(session: Session, text: str) -> None:
    """Note what a statement that has run prepared under a name, or released."""
    if found := PREPARE.match(text):
        session.prepared[found[1].lower()] = found[2]
    if found := DEALLOCATE.match(text):
        session.prepared.pop(found[1].lower(), None)


def executed_texts(session: Session, text: str) -> list[str]:
    """Return the prepared statements that a script executes."""
    names = EXECUTED.findall(text) if session.prepared else []
    return [session.prepared[name.lower()] for name in names if name.lower() in session.prepared]


def as_executed(connection: duckdb.DuckDBPyConnection, session: Session, text: str, arguments: Any) -> tuple[str, Any]:
    """Return the statement that runs, and its parameters' values: of EXECUTE, what it executes.

    Raises:
        duckdb.Error: the values of EXECUTE cannot be computed.
    """
    found = EXECUTE.fullmatch(text)
    prepared = session.prepared.get(found[1].lower()) if found else None
    if found is None or prepared is None:
        return text, arguments
    if not found[2]:
        return prepared, None
    if ":=" in found[2]:
        ((named,),) = execute_raw(connection, f"SELECT struct_pack({found[2]})")
        return prepared, named
    ((*values,),) = execute_raw(connection, f"SELECT {found[2]}")
    return prepared, values
