"""Finds and reads the text-to-SQL questions and databases.

The folder contains `databases/NAME/schema.sql` with one Parquet file for each table, and `train/` and `dev/`
with one JSON object per line: db, question, sql, ordered. It is the sample in this package, or the
folder that QUACKLLM_DATA names.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from ....workers.database_schema import Column, ForeignKey, Schema, Table
from ....workers.errors import SetupError
from ....workers.sql_text import quote_literal

SAMPLE = Path(__file__).parents[1] / "sample"
# A suite of our own, there without any data folder: its databases are scripts, whose rows are dated back from today.
BUSINESS = Path(__file__).parents[1] / "business"
DATA_VARIABLE = "QUACKLLM_DATA"
CREATE = re.compile(r'CREATE TABLE "([^"]+)" \(\n(.*?)\n\);\n((?:-- [^\n]*\n?)*)', re.DOTALL)
COLUMN = re.compile(r'\s*"([^"]+)" (.+?),?$')
PRIMARY = "primary key: "
FOREIGN = re.compile(r"foreign key: (.+?) -> (.+?)\((.+?)\)")
MAX_VALUES = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its reference SQL.

    Args:
        db: the database's name; '' if the question has its own `columns` (WikiSQL's single table `t`).
        ordered: whether the order of the rows matters.
        dialogue, turn: numbers of the conversation and of the turn; the turns of a conversation have the same dialogue.
        columns: names and types of the table `t`.
        schema: DDL or M-Schema text, if the question has it.
        line: the question's line in its file, from 1; 0: unknown.
    """

    db: str
    question: str
    sql: str
    ordered: bool = False
    dialogue: int | None = None
    turn: int = 0
    columns: tuple[tuple[str, str], ...] = ()
    schema: str = ""
    line: int = field(default=0, compare=False)


def data_folder() -> Path:
    """Return the folder of the data: QUACKLLM_DATA, else the sample of this package."""
    return SAMPLE.resolve() if using_sample() else Path(os.environ[DATA_VARIABLE])


def using_sample() -> bool:
    """Whether QUACKLLM_DATA is not set, so that the data is this package's sample."""
    return not os.environ.get(DATA_VARIABLE)


def list_suites(split: str = "dev") -> list[str]:
    """Return the names of the question files of a split."""
    found = {path.name.split(".")[0] for path in (data_folder() / split).glob("*.jsonl*")}
    return sorted(found | ({"business"} if split == "dev" else set()))


def load_questions(suite: str, split: str = "dev") -> list[Question]:
    """Return the questions of a suite, e.g. `spider` or `sparc`.

    Raises:
        SetupError: there is no such suite in the data folder.
    """
    folder = data_folder() / split
    own = [BUSINESS / "questions.jsonl"] if (suite, split) == ("business", "dev") else []
    for path in (folder / f"{suite}.jsonl", folder / f"{suite}.jsonl.gz", *own):
        if path.exists():
            schemas = schema_texts(suite)
            return [_question(row, line, schemas) for line, row in enumerate(_lines(path), 1)]
    if suite.endswith((".json", ".jsonl", ".csv", ".parquet")):
        raise SetupError(f"there is no file {suite}", hint=f"here is {Path.cwd()}")
    if there := list_suites(split):
        hint = f"there is: {', '.join(there)}; {DATA_VARIABLE} names another folder"
    else:
        hint = (
            f"type: export {DATA_VARIABLE}=FOLDER   with {split}/{suite}.jsonl in it, laid out as in docs/evaluation.md"
        )
    raise SetupError(f"no questions {suite!r} in {folder}", hint=hint)


def schema_texts(suite: str) -> dict[str, str]:
    """Return the DDL of each database of a suite whose databases have no rows, e.g. `chase_zh`."""
    path = data_folder() / f"{suite}_schemas.jsonl.gz"
    return {row["db"]: row["ddl"] for row in _lines(path)} if path.exists() else {}


def _lines(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.decode().splitlines()]


def _question(row: dict[str, Any], line: int, schemas: dict[str, str]) -> Question:
    row.pop("table", None)
    row.pop("language", None)
    row["columns"] = tuple(row.get("columns", {}).items())
    row.setdefault("db", "")
    return Question(**row, schema=schemas.get(row["db"], ""), line=line)


def list_databases() -> list[str]:
    """Return the names of the databases in the data folder."""
    return sorted(path.parent.name for path in (data_folder() / "databases").glob("*/schema.sql"))


def business_script(name: str) -> Path | None:
    """Return the SQL script that creates a database of the suite `business`; None if the suite has no such database."""
    path = BUSINESS / "databases" / f"{name}.sql"
    return path if re.fullmatch(r"\w+", name) and path.is_file() else None


def _statements(name: str) -> list[tuple[str, str, list[str]]]:
    """Return each table's name, the text of its columns, and its key lines.

    Raises:
        SetupError: the database does not exist.
    """
    path = data_folder() / "databases" / name / "schema.sql"
    if not path.exists():
        raise SetupError(f"no database {name!r} in {path.parent.parent}", hint=f"{DATA_VARIABLE} names another folder")
    found = CREATE.findall(path.read_text() + "\n")
    return [(table, body, [line.removeprefix("-- ") for line in keys.splitlines()]) for table, body, keys in found]


def open_database(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Create the tables of a database in a connection, with their rows.

    The data violates some of its keys, so they cannot be constraints in DuckDB. They are stored in
    the tables' comments, as lines `primary key: a, b` and `foreign key: b -> t2(c)`.
    """
    folder = data_folder() / "databases" / name
    for table, body, keys in _statements(name):
        connection.execute(f'CREATE TABLE "{table}" ({body})')
        path = folder / f"{table}.parquet"
        if path.exists():
            connection.execute(f'INSERT INTO "{table}" SELECT * FROM read_parquet({quote_literal(str(path))})')
        if comment := "\n".join(keys):
            connection.execute(f'COMMENT ON TABLE "{table}" IS {quote_literal(comment)}')


@lru_cache(maxsize=256)
def load_schema(name: str) -> Schema:
    """Return a database's schema directly from its files, with up to 20,000 distinct texts of each column."""
    tables, foreign_keys = [], []
    for table, body, keys in _statements(name):
        primary = {key for line in keys if line.startswith(PRIMARY) for key in line.removeprefix(PRIMARY).split(", ")}
        path = data_folder() / "databases" / name / f"{table}.parquet"
        values = _distinct(path) if path.exists() else {}
        columns = []
        for line in body.splitlines():
            match = COLUMN.match(line)
            assert match is not None, line
            column, type_name = match.groups()
            examples = values.get(column.lower(), ())
            columns.append(Column(column, type_name, column in primary, examples=examples[:3], values=examples))
        tables.append(Table(table, tuple(columns)))
        links = [match.groups() for line in keys if (match := FOREIGN.fullmatch(line))]
        foreign_keys += [ForeignKey(table, column, other, other_column) for column, other, other_column in links]
    return Schema(name, tuple(tables), tuple(foreign_keys))


def _distinct(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the distinct texts of each text column and some values of the other columns, in the order of the rows."""
    import pyarrow.parquet  # Imported late: the children of the evaluation's sandbox do not need it.

    found = {}
    data = pyarrow.parquet.read_table(path)
    for name in data.column_names:
        column = data.column(name)
        limit = MAX_VALUES if pyarrow.types.is_string(column.type) else 200
        values = column.unique().to_pylist()[:limit]
        found[name.lower()] = tuple(str(value) for value in values if value is not None)
    return found
