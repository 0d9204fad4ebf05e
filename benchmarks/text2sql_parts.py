"""What each part of text2sql adds on a real model: accuracy, tokens, seconds, paired tests. Resumable.

    QUACKLLM_DATA=FOLDER python benchmarks/text2sql_parts.py MODEL.gguf [--questions 150] [--suite spider business]

Two suites: questions of Spider's dev part drawn by the seed 17, and 40 questions to a made-up firm
(`benchmarks/business/`), whose rules only the notes tell. Each row adds one part to the row before: the
plain way (schema, sampled values, DuckDB's message back, three repairs), values, repairs, notes, checks of rows, votes
of 3 and 5. Answers are kept in the call store of QUACKLLM_HOME: started again, it asks only what is missing.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
from quackllm.udf.calls.async_store import open_store
from quackllm.udf.calls.caching_client import CachingClient
from quackllm.udf.calls.scope import CallScope
from quackllm.udf.planner.run_query import QueryRunner
from quackllm.udf.text2sql.draw import PARTS
from quackllm.udf.text2sql.evaluation.datasets import Question, open_database
from quackllm.udf.text2sql.evaluation.question_rows import is_ordered
from quackllm.udf.text2sql.evaluation.report import mcnemar
from quackllm.udf.text2sql.evaluation.scoring import fetch_rows, same_rows
from quackllm.udf.text2sql.evaluation.suites import load_suite
from quackllm.udf.text2sql.notes.read_notes import Notes, read_notes
from quackllm.udf.text2sql.pipeline import Effort, generate_sql
from quackllm.udf.text2sql.prompts.background import Background
from quackllm.udf.text2sql.prompts.find_cells import CellScan
from quackllm.udf.text2sql.prompts.formats import format_for_model
from quackllm.udf.text2sql.schema.catalog import read_catalog
from quackllm.udf.text2sql.schema.resolve import ResolvedSchema
from quackllm.workers import connect_fleet, event_loop
from quackllm.workers.messages import Request, Response

from quackllm import deploy

BUSINESS = Path(__file__).parent / "business"
SEED, TODAY = 17, date(2025, 11, 25)


@dataclass(frozen=True)
class Step:
    """One row of the table."""

    name: str
    parts: frozenset[str] = frozenset()
    notes: bool = False
    run: bool = False
    votes: int = 1


STEPS = (
    Step("plain"),
    Step("+ values", frozenset({"values"})),
    Step("+ repairs", frozenset({"values", "repairs"})),
    Step("+ notes", frozenset({"values", "repairs"}), True),
    Step("+ checks", PARTS, True, True),
    Step("+ 3 votes", PARTS, True, True, 3),
    Step("+ 5 votes", PARTS, True, True, 5),
)


@dataclass
class Result:
    """What one step did on one suite."""

    right: list[bool] = field(default_factory=list)
    without_sql: int = 0
    tokens: int = 0
    calls: int = 0
    seconds: float = 0.0
    confidences: list[tuple[float, bool]] = field(default_factory=list)


def main() -> None:
    """Deploy the model, ask, and print a table for each suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--questions", type=int, default=150, help="of Spider")
    parser.add_argument("--suite", nargs="*", default=["spider", "business"])
    parser.add_argument("--step", nargs="*", help="left out: all")
    parser.add_argument("--limit", type=int, help="of each suite, to try the script")
    given = parser.parse_args()
    infer_params = {"backend": "llama_cpp", "model_path": str(Path(given.model).resolve()), "n_ctx": 8192}
    deploy("parts_model", "custom/auto", infer_params=infer_params)
    for suite in given.suite:
        questions = _questions(suite, given.questions)
        random.Random(SEED).shuffle(questions)  # So that the first few are a draw, too.
        questions = questions[: given.limit]
        results = {}
        for step in STEPS:
            if not given.step or step.name in given.step:
                results[step.name] = _measure(suite, step, questions)
                _show(suite, step.name, results)


def _questions(suite: str, count: int) -> list[Question]:
    if suite != "business":
        return load_suite(suite, limit=count, seed=SEED).questions
    lines = (BUSINESS / "questions.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [Question("business", row["question"], row["sql"], is_ordered(row["sql"])) for row in rows]


def _measure(suite: str, step: Step, questions: list[Question]) -> Result:
    result, complete, form = Result(), *_model()
    notes = read_notes(str(BUSINESS / "notes.md")) if step.notes and suite == "business" else Notes()
    connections: dict[str, duckdb.DuckDBPyConnection] = {}
    for number, question in enumerate(questions, 1):
        connection = connections.setdefault(question.db, _open(question.db))
        schema = read_catalog(connection)
        effort = Effort(
            Background(notes, (), TODAY),
            step.votes,
            QueryRunner(connection.cursor, schema) if step.run else None,
            CellScan(connection.cursor),
            parts=step.parts,
        )
        began = time.perf_counter()
        resolved = ResolvedSchema(schema, from_catalog=True)
        found = event_loop.run_sync(generate_sql(question.question, resolved, form, complete, effort=effort))
        result.seconds += time.perf_counter() - began
        gold = fetch_rows(connection, question.sql)
        right = found.sql is not None and same_rows(gold, fetch_rows(connection, found.sql), question.ordered)
        result.right.append(right)
        result.without_sql += found.sql is None
        result.tokens += found.usage.input_tokens + found.usage.output_tokens
        result.calls += found.attempts
        print(f"  {suite} {step.name} {number}/{len(questions)} {'right' if right else 'wrong'}", end="\r", flush=True)
    return result


def _model():  # type: ignore[no-untyped-def]
    fleet = connect_fleet(None)
    client, spec = CachingClient(fleet, open_store(fleet)), fleet.deployed()["parts_model"]

    async def complete(request: Request) -> Response:
        (response,) = await client.complete(spec, [request], CallScope())
        return response

    return complete, format_for_model(spec)


def _open(name: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    if name == "business":
        connection.execute((BUSINESS / "schema.sql").read_text("utf-8"))
    else:
        open_database(connection, name)
    return connection


def _show(suite: str, name: str, results: dict[str, Result]) -> None:
    result, (first, *_) = results[name], results.values()
    more = sum(now and not before for now, before in zip(result.right, first.right, strict=True))
    fewer = sum(before and not now for now, before in zip(result.right, first.right, strict=True))
    count = len(result.right)
    print(
        f"{suite:10}{name:12}{sum(result.right):4} of {count} ({100 * sum(result.right) / count:.1f} %), "
        f"without SQL {result.without_sql}, calls {result.calls / count:.2f}, tokens {result.tokens / count:.0f}, "
        f"seconds {result.seconds / count:.1f} a question; "
        f"against plain +{more} -{fewer}, p = {mcnemar(more, fewer):.3g}",
        flush=True,
    )


if __name__ == "__main__":
    main()
