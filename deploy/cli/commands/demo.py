"""`quackllm demo`: what the SQL functions do, on a real database, with no key and no download."""

from __future__ import annotations

import os
import random
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table

from .... import workers
from ....udf.connection import Connection, connect
from ....udf.session.statement import FailedRowsWarning
from ....udf.text2sql.evaluation.databases import QuestionDatabases
from ....udf.text2sql.evaluation.datasets import Question, load_questions, open_database
from ....udf.text2sql.evaluation.gold import GoldAnswers
from ....udf.text2sql.evaluation.scoring import RIGHT, ModelAnswer
from ...terminal_output import print_line, stdout

QUESTIONS = 10
MODEL = "builtin_demo"
TEXT2SQL = "SELECT question, text2sql(question) FROM (SELECT unnest($questions) AS question)"
DATABASE = "concert_singer"
REVIEWS = """
CREATE TEMP TABLE review AS SELECT unnest([
    'The battery dies after an hour', 'Arrived two days late, box open', '屏幕很亮，颜色漂亮',
    'Great sound, I use it every day', '客服三天没有回复']) AS text
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """One statement of the demo.

    Args:
        title: what it shows.
        statement: the SQL, as it is printed and run.
        remark: what to notice in its rows.
    """

    title: str
    statement: str
    remark: str


SCENES = [
    Scene(
        "The meaning of a text is a number that SQL sorts by",
        "SELECT text, round(ai_similarity(text, 'a nice display'), 2) AS similarity\n"
        "FROM review ORDER BY similarity DESC LIMIT 3",
        "The built-in encoder compares English with Chinese.",
    ),
    Scene(
        "A question is a table",
        "FROM ask('What is the average age of singers per country?')",
        "The built-in model wrote the SQL; a guard checked it before it ran.",
    ),
    Scene(
        "A conversation is a column",
        "CREATE TEMP TABLE turn1 AS SELECT text2sql_detail('How many singers are there?') AS answer;\n"
        "SELECT answer.sql AS first, text2sql(llm_stack(answer, 'How many of them are from France?')) AS second\n"
        "FROM turn1",
        "The second question says 'of them'; the first answer travels with it, in the row.",
    ),
    Scene(
        "What it cannot answer has a reason",
        "SELECT question, answer.sql, answer.error.message AS reason\n"
        "FROM (SELECT question, text2sql_detail(question) AS answer\n"
        "      FROM (VALUES ('How many singers are there?'), ('How many pilots fly to Boston?')) AS t(question))",
        "A failed row is a value with its reason; the other rows are answered.",
    ),
]


def demo(
    database: Annotated[str, typer.Option(help="The sample's database that the drawn questions are about.")] = DATABASE,
    seed: Annotated[int, typer.Option(help="Another seed draws other questions.")] = 1,
    ray: Annotated[bool, typer.Option("--ray", help="Answer the drawn questions through Ray too.")] = False,
) -> None:
    """Show what the SQL functions do, on a real database, with no key and no download.

    Then it answers ten questions that were drawn, not chosen, and counts the right ones:

        quackllm demo
        quackllm demo --seed 7 --database pets_1
        quackllm demo --ray

    It works in a folder of its own and leaves your models and call store alone.
    """
    show_demo(database, seed, ray)


def show_demo(database: str, seed: int, ray: bool) -> None:
    """Run the scenes, answer the questions that the seed draws, compare with the reference, and count.

    Args:
        database: one of the sample databases.
        seed: of the random draw of questions.
        ray: whether two replicas on a local Ray answer the drawn questions too.

    Raises:
        SetupError: there is no such database.
    """
    with _temporary_home():
        drawn = _draw(database, seed)
        _show_scenes()
        right = _answer_drawn(database, drawn, seed)
        tally = f"{right} of {len(drawn)}"
        if ray:
            tally += f", through Ray {_on_ray(database, drawn)} of {len(drawn)}"
    print_line(f"Right: {tally}. Another draw: quackllm demo --seed {seed + 1}")
    print_line("All 988 questions, and the honest figures: quackllm evaluate spider --model builtin_text2sql")


@contextmanager
def _temporary_home() -> Iterator[None]:
    """Use a temporary QUACKLLM_HOME, also in the processes that Ray starts."""
    environment = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedRowsWarning)
        os.environ.update(environment, QUACKLLM_HOME=folder)
        yield


@contextmanager
def _open(database: str, **settings: Any) -> Iterator[Connection]:
    with closing(connect(**settings)) as connection:
        connection.execute("SET enable_progress_bar = false")
        open_database(connection, database)
        yield connection


def _draw(database: str, seed: int) -> list[Question]:
    questions = [question for question in load_questions("spider") if question.db == database]
    return random.Random(seed).sample(questions, min(QUESTIONS, len(questions)))


def _show_scenes() -> None:
    with _open(DATABASE) as connection:
        connection.execute(REVIEWS)
        for number, scene in enumerate(SCENES, 1):
            stdout.print(Rule(f"{number}. {scene.title}", align="left"))
            stdout.print(Syntax(scene.statement, "sql", word_wrap=True, background_color="default"))
            started = perf_counter()
            stdout.print(_rows(connection, scene.statement))
            seconds = perf_counter() - started
            stdout.print(f"{scene.remark}\n{seconds:.1f} s; calls to a service: 0; cost: 0\n", style="dim")


def _rows(connection: Connection, sql: str) -> Table:
    """Return a statement's rows as a table."""
    connection.execute(sql)
    table = Table(*(column[0] for column in connection.description or ()), box=None, header_style="dim")
    for row in connection.fetchall():
        table.add_row(*("NULL" if value is None else str(value) for value in row))
    return table


def _answer_drawn(database: str, drawn: Sequence[Question], seed: int) -> int:
    """Answer the drawn questions in this process; return how many are right."""
    stdout.print(Rule(f"{len(drawn)} questions about {database!r}, drawn by the seed {seed}", align="left"))
    with _open(database) as connection:
        started = perf_counter()
        outcomes = _outcomes(connection, drawn)
        seconds = perf_counter() - started
    table = Table("", "question", "SQL", box=None, header_style="dim")
    for question, sql, outcome in outcomes:
        mark = "[green]✓[/green]" if outcome == RIGHT else "[red]✗[/red]"
        table.add_row(mark, question.question, Syntax(sql or "NULL", "sql", word_wrap=True, background_color="default"))
    stdout.print(table)
    print_line(f"{len(drawn)} answers in {seconds:.1f} s, compared by their rows with Spider's own SQL.\n")
    return sum(outcome == RIGHT for _, _, outcome in outcomes)


def _outcomes(connection: Connection, drawn: Sequence[Question]) -> list[tuple[Question, str | None, str]]:
    """Return each question with its SQL and whether the SQL's rows are right."""
    rows = connection.execute(TEXT2SQL, {"questions": [question.question for question in drawn]}).fetchall()
    answers = dict(rows)
    with QuestionDatabases() as databases:
        scored = GoldAnswers(databases).score(
            [(question, ModelAnswer(answers[question.question], "declined")) for question in drawn]
        )
    return [(one.question, one.sql, one.outcome) for one in scored]


def _on_ray(database: str, drawn: Sequence[Question]) -> int:
    """Send the same questions to two replicas on a local Ray, with an empty cache; return how many are right."""
    stdout.print(Rule("The same through Ray: two replicas of a named actor", align="left"))
    started = perf_counter()
    workers.deploy(MODEL, "builtin/text2sql", num_workers=2, cluster="local")
    print_line(f"Ray started and {MODEL!r} deployed in {perf_counter() - started:.1f} s")
    with _open(database, model=MODEL, cluster="local") as connection:
        connection.execute("SET VARIABLE llm_store = 'refresh'")
        started = perf_counter()
        outcomes = _outcomes(connection, drawn)
        seconds = perf_counter() - started
    replicas = workers.status(MODEL, cluster="local").replicas
    shares = ", ".join(f"process {replica.pid} answered {replica.answered}" for replica in replicas)
    print_line(f"{len(drawn)} answers in {seconds:.1f} s; {shares}\n")
    return sum(outcome == RIGHT for _, _, outcome in outcomes)
