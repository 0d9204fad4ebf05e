"""`quackllm examples`: questions with verified SQL, kept beside a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ....workers.errors import RequestError, did_you_mean
from ...terminal_output import pluralize, print_line


def examples(
    action: Annotated[Literal["add", "list", "remove"], typer.Argument(help="What to do.")],
    database: Annotated[Path, typer.Argument(help="A DuckDB file.")],
    question: Annotated[str, typer.Argument(help="The question, to add or remove it.")] = "",
    sql: Annotated[str, typer.Argument(help="Its SQL, to add it.")] = "",
) -> None:
    """Keep, list and remove questions with verified SQL.

    The examples of shop.duckdb are the lines of shop.examples.jsonl. A model is shown the nearest ones where that is
    asked for: examples := 3, or --examples 3.

        quackllm examples add shop.duckdb "How many orders are open?" "SELECT count(*) FROM orders WHERE status = 'O'"
        quackllm examples list shop.duckdb
        quackllm examples remove shop.duckdb "How many orders are open?"
    """
    from ....udf.text2sql.examples.verified_examples import examples_file, read_examples, write_examples

    path = examples_file(database)
    found, warnings = read_examples(path)
    if action == "list":
        for example in found:
            print(f"{example.question}\n    {example.sql}")
        for warning in warnings:
            print_line(warning)
    elif action == "add":
        _add(database, question, sql)
    else:
        rest = [example for example in found if example.question != question.strip()]
        if len(rest) == len(found):
            hint = did_you_mean(question, [example.question for example in found])
            raise RequestError(f"{path} has no question {question!r}", hint=hint)
        write_examples(path, rest)
        print_line(f"{path}: {pluralize(len(rest), 'example')}")


def _add(database: Path, question: str, sql: str) -> None:
    from ....udf.kept_examples import keep_example
    from ..open_database import open_database

    if not question.strip() or not sql.strip():
        raise RequestError(
            "a question and its SQL are missing", hint=f'type: quackllm examples add {database} "QUESTION" "SELECT …"'
        )
    with open_database(str(database), read_only=True) as connection:
        path = keep_example(connection, question, sql)
    print_line(f"kept in {path}")
