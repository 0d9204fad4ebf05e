"""`quackllm demo`: questions to a real database, answered by the built-in model, in this process and through Ray."""

from __future__ import annotations

import os
import random
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from time import perf_counter
from typing import Annotated

import typer
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table

from .... import workers
from ....udf.connection import Connection, connect
from ....udf.session.statement import FailedRowsWarning
from ....udf.text2sql.evaluation.datasets import Question, load_questions, open_database
from ....udf.text2sql.evaluation.runner import RIGHT, judge
from ....workers.sql_text import quote_literal
from ...console import print_line, stdout

QUESTIONS = 10
CONVERSATIONS = 3
MAX_ROWS = 4
MODEL = "builtin_demo"
TEXT2SQL = "SELECT question, text2sql(question) FROM (SELECT unnest($questions) AS question)"
FOLLOW_UP = "SELECT text2sql(llm_stack(text2sql_detail($first), $second))"


def demo(
    database: Annotated[str, typer.Option(help="One of the sample's databases.")] = "concert_singer",
    seed: Annotated[int, typer.Option(help="Another seed draws other questions.")] = 1,
) -> None:
    """Ask a real database ten questions, in this process and through Ray, with no key and no download.

    It works in a folder of its own and leaves your models and call store alone.
    """
    show_demo(database, seed)


def show_demo(database: str, seed: int) -> None:
    """Answer the questions that the seed draws, compare each answer with the reference, and count.

    Args:
        database: one of the sample databases.
        seed: of the random draw of questions.

    Raises:
        SetupError: there is no such database.
    """
    with _temporary_home(), closing(connect()) as connection:
        _fill(connection, database)
        drawn = _draw(database, seed)
        stdout.print(f"Spider's database {database!r}, {len(drawn)} of its questions, drawn by the seed {seed}.")
        stdout.print("The built-in model answers: no key, no download, no GPU.\n")
        right = _in_this_process(connection, drawn)
        on_ray = _on_ray(database, drawn)
        conversations = _follow_ups(connection, database, seed)
        _show_ask(connection, drawn)
    stdout.print(Rule())
    tally = f"{right} of {len(drawn)} in this process, {on_ray} of {len(drawn)} through Ray, {conversations}"
    print_line(f"Right: {tally}.")
    print_line("Drawn, not chosen: other draws are other tallies. On all of them: quackllm evaluate spider")


@contextmanager
def _temporary_home() -> Iterator[None]:
    """Use a temporary QUACKLLM_HOME, also in the processes that Ray starts."""
    environment = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedRowsWarning)
        os.environ.update(environment, QUACKLLM_HOME=folder)
        yield


def _fill(connection: Connection, database: str) -> None:
    connection.execute("SET enable_progress_bar = false")
    open_database(connection, database)


def _draw(database: str, seed: int) -> list[Question]:
    questions = [question for question in load_questions("spider") if question.db == database]
    return random.Random(seed).sample(questions, min(QUESTIONS, len(questions)))


def _in_this_process(connection: Connection, drawn: Sequence[Question]) -> int:
    stdout.print(Rule("In this process: SELECT text2sql(question) FROM questions"))
    started = perf_counter()
    answers = _answers(connection, drawn)
    seconds = perf_counter() - started
    right = sum(_show(connection, question, sql, number) for number, (question, sql) in enumerate(answers, 1))
    print_line(f"{len(drawn)} questions in {seconds:.1f} s\n")
    return right


def _answers(connection: Connection, drawn: Sequence[Question]) -> list[tuple[Question, str | None]]:
    rows = connection.execute(TEXT2SQL, {"questions": [question.question for question in drawn]}).fetchall()
    gold_sql = dict(rows)
    return [(question, gold_sql[question.question]) for question in drawn]


def _show(connection: Connection, question: Question, sql: str | None, number: int) -> bool:
    """Print a question with its SQL and rows; return whether they are right."""
    outcome = judge(connection, question, sql).outcome
    stdout.print(f"[bold]{number}. {question.question}[/bold]", highlight=False)
    if sql is not None:
        stdout.print(Syntax(sql, "sql", word_wrap=True, background_color="default"))
        stdout.print(_rows(connection, sql))
    stdout.print(outcome, style="green" if outcome == RIGHT else "red")
    if outcome != RIGHT:
        stdout.print(Syntax(f"{question.sql} -- the reference", "sql", word_wrap=True, background_color="default"))
    stdout.print()
    return outcome == RIGHT


def _rows(connection: Connection, sql: str) -> Table:
    """Return the first rows of a query as a table."""
    connection.execute(sql)
    names = [column[0] for column in connection.description or ()]
    rows = connection.fetchmany(MAX_ROWS + 1)
    table = Table(*names, box=None, header_style="dim", caption_justify="left", min_width=16)
    for row in rows[:MAX_ROWS]:
        table.add_row(*(str(value) for value in row))
    if len(rows) > MAX_ROWS:
        table.caption = "and more rows"
    return table


def _on_ray(database: str, drawn: Sequence[Question]) -> int:
    """Send the same questions to two replicas on a local Ray; the cached answers are not used."""
    stdout.print(Rule("The same through Ray: two replicas of a named actor"))
    started = perf_counter()
    workers.deploy(MODEL, "builtin/text2sql", num_workers=2, cluster="local")
    print_line(f"Ray started and {MODEL!r} deployed in {perf_counter() - started:.1f} s")
    with closing(connect(model=MODEL, cluster="local")) as connection:
        _fill(connection, database)
        connection.execute("SET VARIABLE llm_store = 'refresh'")
        started = perf_counter()
        answers = _answers(connection, drawn)
        seconds = perf_counter() - started
        right = sum(judge(connection, question, sql).outcome == RIGHT for question, sql in answers)
    replicas = workers.status(MODEL, cluster="local").replicas
    shares = ", ".join(f"process {replica.pid} answered {replica.answered}" for replica in replicas)
    print_line(f"{len(drawn)} questions in {seconds:.1f} s: {right} right; {shares}\n")
    return right


def _follow_ups(connection: Connection, database: str, seed: int) -> str:
    """Print two turns of each drawn conversation, of which the second needs the first; return the tally."""
    turns = [turn for turn in load_questions("sparc") if turn.db == database]
    dialogues = [list(group) for _, group in groupby(turns, key=lambda turn: turn.dialogue)]
    longer = [turns for turns in dialogues if len(turns) > 1]
    drawn = random.Random(seed).sample(longer, min(CONVERSATIONS, len(longer)))
    stdout.print(Rule("Follow-up questions: text2sql(llm_stack(text2sql_detail(first), second))"))
    right = 0
    for number, (first, second, *_) in enumerate(drawn):
        (first_sql,) = connection.execute("SELECT text2sql(?)", [first.question]).fetchone() or (None,)
        right += _show(connection, first, first_sql, 2 * number + 1)
        turn_texts = {"first": first.question, "second": second.question}
        (second_sql,) = connection.execute(FOLLOW_UP, turn_texts).fetchone() or (None,)
        right += _show(connection, second, second_sql, 2 * number + 2)
    return f"{right} of {2 * len(drawn)} in conversations"


def _show_ask(connection: Connection, drawn: Sequence[Question]) -> None:
    """Print the result of `FROM ask(…)` for the first drawn question that has an answer."""
    question = next(question for question, sql in _answers(connection, drawn) if sql)
    statement = f"FROM ask({quote_literal(question.question)})"
    stdout.print(Rule("The answer itself"))
    stdout.print(Syntax(statement, "sql", word_wrap=True, background_color="default"))
    stdout.print(_rows(connection, statement))
    stdout.print()
