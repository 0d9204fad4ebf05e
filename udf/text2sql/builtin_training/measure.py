"""Measures the built-in model: execution accuracy of suites, and how often it declines.

The figures of docs/builtin-model.md come from it:

    QUACKLLM_DATA=/path/to/data python -m quackllm.udf.text2sql.builtin_training.measure spider sparc
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import duckdb

from ....workers.builtin.network.numpy_network import Network, load_network
from ....workers.builtin.network.weights_file import WEIGHTS
from ....workers.builtin.semantic_parser import DeclinedError, parse
from ....workers.database_schema import Schema
from ....workers.messages import Message
from ..evaluation.datasets import Question, list_databases, load_questions, open_database
from ..evaluation.evaluator import History, evaluate
from ..prompts.formats import FORMS
from ..prompts.value_matching import match_values
from ..schema.catalog import read_catalog


class BuiltinModel:
    """Calls the built-in model as text2sql does, but without workers."""

    def __init__(self, path: Path) -> None:
        self.network: Network = load_network(path)
        self.seconds: list[float] = []
        self.connection: duckdb.DuckDBPyConnection | None = None
        self.schema = Schema()

    def answer(self, connection: duckdb.DuckDBPyConnection, question: str, history: History) -> str | None:
        """Return the SQL, or None for a decline."""
        if connection is not self.connection:
            self.connection, self.schema = connection, read_catalog(connection)
        return self.ask_model(self.schema, question, history)

    def ask_model(self, schema: Schema, question: str, history: History = ()) -> str | None:
        """Return the SQL, or None for a decline."""
        messages = FORMS["builtin"].build_messages([Message("user", question)], schema, match_values(question, schema))
        began = time.perf_counter()
        try:
            turns = [(earlier, sql or "") for earlier, sql in history]
            return parse(self.network, messages[0].content, turns, question).sql
        except DeclinedError:
            return None
        finally:
            self.seconds.append(time.perf_counter() - began)


@lru_cache(maxsize=32)
def database_catalog(database: str) -> Schema:
    """Return the schema of a database, read once."""
    with closing(duckdb.connect()) as connection:
        open_database(connection, database)
        return read_catalog(connection)


def count_declines(model: BuiltinModel, questions: list[Question], seed: int = 0) -> tuple[int, int, int]:
    """Return the numbers of questions declined on their own database and on a wrong one, and of all questions."""
    chance = random.Random(seed)
    names = sorted({question.db for question in questions})
    own = sum(model.ask_model(database_catalog(question.db), question.question) is None for question in questions)
    wrong = 0
    for question in questions:
        other = chance.choice([name for name in names if name != question.db])
        wrong += model.ask_model(database_catalog(other), question.question) is None
    return own, wrong, len(questions)


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=["spider"])
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--limit", type=int, help="so many questions of each suite, evenly spread")
    given = parser.parse_args()
    model = BuiltinModel(given.weights)
    for suite in given.suites:
        print(evaluate(model.answer, suite, limit=given.limit))
    times = sorted(model.seconds)
    print(f"seconds a question: median {statistics.median(times):.3f}, 95 % below {times[len(times) * 95 // 100]:.3f}")
    questions = [question for question in load_questions("spider") if question.db in list_databases()]
    own, wrong, count = count_declines(model, questions)
    print(f"declined: {own} of {count} on their own database, {wrong} of {count} on a wrong one")


if __name__ == "__main__":
    main()
