"""Typed functions on a real model: quality, seconds and tokens, with answers held to their type and without.

    python benchmarks/typed.py model.gguf Reviews.csv [--rows 200] [--home FOLDER] [--functions filter score]

`model.gguf` is any instruct model for llama.cpp; `Reviews.csv` is the movie scenario's table of SemBench
(github.com/SemBench/SemBench, files/movie/data/sf_2000), which also has the gold: the critic's verdict and score. Both
variants ask the same model: held to a choice, a digit or a JSON schema, with the probabilities of the tokens; and by
the prompt's words alone. The answers stay in FOLDER: stopped and started again, the script asks only what is missing.
Seconds and tokens are means of the calls; equal reviews are one call.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from quackllm.workers.engines import ENGINES
from quackllm.workers.engines.llama_cpp.engine import LlamaCppEngine
from quackllm.workers.messages import Request, Response

import quackllm

PLAIN = "llama_cpp_plain"
FRACTION = "regexp_full_match(originalScore, '[0-9.]+/[0-9.]+')"
Rows = list[tuple[Any, ...]]


class PlainLlamaCpp(LlamaCppEngine):
    """The llama.cpp engine as one that can be held to nothing and gives no probabilities."""

    async def answer(self, request: Request) -> Response:
        """Answer by the prompt's words alone."""
        return await super().answer(replace(request, top_logprobs=0))


@dataclass(frozen=True)
class Question:
    """One function over the reviews.

    Args:
        call: the SQL; `body` is the review.
        gold: the SQL of what is right.
        quality: how good values are, beside the gold.
        measure: what it is called.
        where: which reviews have a gold.
    """

    call: str
    gold: str
    quality: Callable[[Rows], float]
    measure: str
    where: str = "true"


def accuracy(rows: Rows) -> float:
    """Return the part of the rows whose value is the gold; NULL is wrong."""
    return sum(value == gold for value, gold in rows) / len(rows)


def field_accuracy(rows: Rows) -> float:
    """Return the part of the fields that are right."""
    found = [(value or {}).get(name) == right for value, gold in rows for name, right in gold.items()]
    return sum(found) / len(found)


def rank_correlation(rows: Rows) -> float:
    """Return Spearman's correlation of those that have a value."""
    there = [(value, gold) for value, gold in rows if value is not None]
    one, other = (_ranks([row[place] for row in there]) for place in (0, 1))
    mean = (len(there) - 1) / 2
    products = sum((a - mean) * (b - mean) for a, b in zip(one, other, strict=True))
    spread = math.sqrt(sum((a - mean) ** 2 for a in one) * sum((b - mean) ** 2 for b in other))
    return products / spread if spread else 0.0


def _ranks(values: list[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]


QUESTIONS = {
    "filter": Question(
        "ai_filter(body, 'the critic likes the film', model := $1)", "scoreSentiment = 'POSITIVE'", accuracy, "accuracy"
    ),
    "classify": Question(
        "ai_classify(body, ['positive', 'negative'], model := $1)", "lower(scoreSentiment)", accuracy, "accuracy"
    ),
    "extract": Question(
        "ai_extract(byline || ': ' || body, {'critic': 'VARCHAR', 'paper': 'VARCHAR', 'year': 'INTEGER'}, model := $1)",
        "{'critic': criticName, 'paper': publicatioName, 'year': year(creationDate)::INTEGER}",
        field_accuracy,
        "fields right",
        "criticName <> '' AND publicatioName <> ''",
    ),
    "score": Question(
        "ai_score(body, 'how much the critic likes the film', model := $1)",
        "split_part(originalScore, '/', 1)::DOUBLE / nullif(split_part(originalScore, '/', 2)::DOUBLE, 0)",
        rank_correlation,
        "Spearman's ρ",
        FRACTION,
    ),
}


def main() -> None:
    """Ask both variants, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("reviews", type=Path, help="Reviews.csv")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--home", type=Path, default=Path("typed-benchmark"), help="where the answers stay")
    parser.add_argument("--functions", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ["QUACKLLM_HOME"] = str(options.home.absolute())
    options.home.mkdir(exist_ok=True)
    sys.modules["typed"] = sys.modules["__main__"]
    ENGINES[PLAIN] = "typed:PlainLlamaCpp"
    for name, backend in (("held", "llama_cpp"), ("plain", PLAIN)):
        settings = {"n_ctx": 2048, "n_parallel": 1, "n_threads": options.threads, "max_tokens": 200}
        params = {f"backend.{key}": value for key, value in settings.items()}
        params |= {"backend": backend, "backend.model_path": str(options.model)}
        # One at a time, so that a call's seconds are its own.
        quackllm.deploy(name, "custom/auto", infer_params=params, worker_concurrency=1)
    with quackllm.connect() as connection:
        read_reviews(connection, options.reviews, options.rows)
        print("| function | answers | quality | NULL | calls | seconds a call | tokens read | written |")
        print("|---|---|---|---|---|---|---|---|")
        for function in options.functions:
            for model in ("held", "plain"):
                print(line(connection, function, model), flush=True)


def read_reviews(connection: quackllm.Connection, path: Path, rows: int) -> None:
    """Make the table of reviews, in the order of a hash, so that all kinds are among the first."""
    connection.execute(
        "CREATE TABLE review AS SELECT *, reviewText AS body, "
        "concat_ws(', ', criticName, publicatioName, strftime(creationDate, '%-d %B %Y')) AS byline "
        "FROM read_csv($1) WHERE reviewText <> '' ORDER BY hash(reviewId) LIMIT $2",
        [str(path), 10 * rows],
    )


def line(connection: quackllm.Connection, function: str, model: str) -> str:
    """Ask one function of one variant; return the line of the table."""
    question, rows = QUESTIONS[function], connection.execute("SELECT count(*) // 10 FROM review").fetchone()
    assert rows is not None
    found = connection.execute(
        f"SELECT {question.call}, {question.gold} FROM (FROM review WHERE {question.where} LIMIT {max(1, rows[0])})",
        [model],
    ).fetchall()
    took = connection.execute(
        "SELECT count(*), avg(seconds), avg(input_tokens), avg(output_tokens) FROM llm_calls(max_calls := 1000000) "
        f"WHERE model = '{model}' AND function = 'ai_{function}'"
    ).fetchone()
    assert took is not None
    calls, seconds, read, written = took
    quality, empty = question.quality(found), sum(value is None for value, _ in found)
    return (
        f"| {function}, {len(found)} rows | {model} | {question.measure} {quality:.2f} | {empty} "
        f"| {calls} | {seconds or 0:.1f} | {read or 0:.0f} | {written or 0:.1f} |"
    )


if __name__ == "__main__":
    main()
