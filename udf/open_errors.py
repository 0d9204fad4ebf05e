"""A database that cannot be opened: DuckDB's error with what to do about it."""

from __future__ import annotations

import re

import duckdb

from ..workers.errors import SetupError

LOCK_HOLDER = re.compile(r"held in (?P<program>\S+)(?: \(PID (?P<pid>\d+)\))?")


def open_error(path: str, error: duckdb.Error, read_only_option: str = "") -> SetupError:
    """Return DuckDB's error as ours.

    Args:
        path: the database.
        error: what `duckdb.connect` raised.
        read_only_option: what the user types to open a database read-only, where there is such an option.
    """
    message = str(error)
    if "lock on file" in message:
        holder = LOCK_HOLDER.search(message)
        process = (
            f"the process {holder['pid']} ({holder['program']})" if holder and holder["pid"] else "another process"
        )
        hint = f"close it there, or copy the file; or open it in every process for reading only{read_only_option}"
        return SetupError(f"{path} is open in {process}", hint=hint)
    if "different configuration" in message:
        hint = "close the other connection to it first: one process opens a file either for reading only or for writing"
        return SetupError(f"{path} is open in this process already, in another mode", hint=hint)
    if "in read-only mode" in message:
        return SetupError(f"{path} cannot be opened for reading only: {message}", hint="name a DuckDB file that exists")
    return SetupError(f"{path} cannot be opened: {message}", hint="is it a DuckDB file, and may you read it?")
