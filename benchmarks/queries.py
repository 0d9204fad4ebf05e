"""The forty questions of queries.yaml, and which requests each of them must make.

    python benchmarks/queries.py

prints a table of them with the number of requests, found without any model of ours: plain DuckDB runs the native part
of each question, and the stand-in's own rule says what its answers would be.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "standin"))

import duckdb
import yaml
from quackllm.udf.text2sql.evaluation.datasets import open_database
from standin_answers import answer_to

FILE = Path(__file__).with_name("queries.yaml")


@dataclass(frozen=True)
class Step:
    """One question to the model about a column of what is left: `filter` keeps what is answered True."""

    question: str
    filters: bool
    on: str = "item"
    into: str | None = None

    def prompt(self) -> str:
        """The SQL of the request's text."""
        return f"'{self.question} ‹' || \"{self.on}\" || '›'"

    def applied(self, rows: str) -> str:
        """The SQL of what is left of the rows when the step is done."""
        if self.filters:
            return f"SELECT * FROM ({rows}) WHERE answer({self.prompt()}) = 'True'"
        return f'SELECT * REPLACE (answer({self.prompt()}) AS "{self.into}") FROM ({rows})' if self.into else rows


@dataclass(frozen=True)
class Query:
    """One of the forty, as queries.yaml explains its keys."""

    kind: str
    name: str
    database: str
    sql: str
    rows: str
    steps: tuple[Step, ...]
    limit: bool = False
    blendsql: str | None = None

    def requests(self, connection: duckdb.DuckDBPyConnection) -> list[list[str]]:
        """Return the texts that each step must ask, each once, on a connection of `plain`."""
        rows, found = self.rows, []
        for step in self.steps:
            texts = f"SELECT DISTINCT {step.prompt()} AS text FROM ({rows}) WHERE text IS NOT NULL"
            found.append([text for (text,) in connection.execute(texts).fetchall()])
            rows = step.applied(rows)
        return found


def load() -> list[Query]:
    """Read queries.yaml."""
    return [_query(**entry) for entry in yaml.safe_load(FILE.read_text("utf-8"))]


def _query(steps: list[dict[str, str]], **entry: Any) -> Query:
    return Query(steps=tuple(_step(**step) for step in steps), **entry)


def _step(filter: str | None = None, map: str | None = None, **more: str) -> Step:
    return Step(filter or map or "", filter is not None, **more)


def plain(database: str) -> duckdb.DuckDBPyConnection:
    """Open a database in a DuckDB of its own, with the stand-in's rule as the function `answer`."""
    connection = duckdb.connect()
    open_database(connection, database)
    connection.create_function("answer", lambda text: answer_to([{"content": text}]), ["VARCHAR"], "VARCHAR")
    return connection


def main() -> None:
    """Print the questions and how many requests each must make."""
    from rich.console import Console
    from rich.table import Table

    table = Table("kind", "question", "database", "requests", box=None)
    for query in load():
        with plain(query.database) as connection:
            counts = [len(texts) for texts in query.requests(connection)]
        sign = "at most " if query.limit else ""
        table.add_row(query.kind, query.name, query.database, sign + " + ".join(map(str, counts)))
    Console().print(table)


if __name__ == "__main__":
    main()
