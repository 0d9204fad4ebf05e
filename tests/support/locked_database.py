"""A DuckDB file that another process has open."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

PROGRAM = """\
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading")
print("open", flush=True)
input()
"""


@contextmanager
def opened_elsewhere(path: Path, mode: str = "writing") -> Iterator[int]:
    """Open a database in another process, for reading or for writing; the value is that process's id."""
    if not path.exists():
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE item AS SELECT 1 AS id")
    command = [sys.executable, "-c", PROGRAM, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.communicate("\n", timeout=30)
