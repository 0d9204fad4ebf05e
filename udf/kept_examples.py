"""Keeps a question and its SQL as a verified example beside the connection's database."""

from __future__ import annotations

from pathlib import Path

import duckdb

from ..workers.errors import RequestError
from .planner.run_query import database_files
from .text2sql.examples.verified_examples import add_example, examples_file
from .text2sql.prompts.background import VerifiedExample
from .text2sql.schema.catalog import read_catalog
from .text2sql.schema.resolve import ResolvedSchema


def keep_example(connection: duckdb.DuckDBPyConnection, question: str, sql: str) -> Path:
    """Add a question with its SQL to the examples of the connection's database, and return their file.

    Raises:
        RequestError: the database is in memory, or the SQL does not run on it.
    """
    files = database_files(connection)
    if not files:
        raise RequestError(
            "a database in memory keeps no examples", hint="open a file: quackllm.connect('shop.duckdb')"
        )
    path = examples_file(files[0])
    add_example(path, VerifiedExample(question, sql), ResolvedSchema(read_catalog(connection)))
    return path
