"""Keeps verified examples in a file beside the database, a JSON object a line, and finds the nearest to a question."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ....workers.atomic_files import atomic_write_text
from ....workers.engines.encoder import encode
from ....workers.errors import RequestError
from ..checks.check_answer import check_answer
from ..prompts.background import VerifiedExample
from ..schema.resolve import ResolvedSchema

MAX_EXAMPLES = 5_000
CACHED_VECTORS = 10_000


def examples_file(database: Path) -> Path:
    """Return the file of a database's examples: `shop.examples.jsonl` beside `shop.duckdb`."""
    return database.with_suffix(".examples.jsonl")


def read_examples(path: Path) -> tuple[list[VerifiedExample], list[str]]:
    """Return the examples of a file, and a warning for each line that is none; no file, no examples."""
    if not path.is_file():
        return [], []
    examples: dict[str, VerifiedExample] = {}
    warnings: list[str] = []
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            examples[row["question"]] = VerifiedExample(str(row["question"]), str(row["sql"]))
        except (ValueError, TypeError, KeyError):
            warnings.append(f'{path}, line {number}: it is no example {{"question": …, "sql": …}}')
    return list(examples.values())[-MAX_EXAMPLES:], warnings[:5]


def add_example(path: Path, example: VerifiedExample, schema: ResolvedSchema) -> int:
    """Add an example to a file, in place of one with the same question, and return how many there are.

    Raises:
        RequestError: its SQL may not run, or does not bind to the database.
    """
    sql, failure = check_answer(example.sql, schema.schema, schema.bindable)
    if failure is not None:
        raise RequestError(f"the example is not kept: {failure.message}", hint="correct its SQL, and add it again")
    known = {each.question: each for each in read_examples(path)[0]}
    known.pop(example.question, None)
    known[example.question] = VerifiedExample(example.question.strip(), sql)
    write_examples(path, list(known.values()))
    return len(known)


def write_examples(path: Path, examples: Sequence[VerifiedExample]) -> None:
    """Write all examples of a database."""
    lines = (json.dumps({"question": e.question, "sql": e.sql}, ensure_ascii=False) for e in examples)
    atomic_write_text(path, "".join(f"{line}\n" for line in lines))


def nearest_examples(
    question: str, examples: Sequence[VerifiedExample], count: int, schema: ResolvedSchema
) -> tuple[tuple[VerifiedExample, ...], list[str]]:
    """Return the examples nearest in meaning to a question, the nearest last, and a warning for each that is outdated.

    Args:
        question: in any language of the built-in encoder.
        examples: of the database.
        count: how many.
        schema: to which their SQL must still bind.
    """
    if not examples or count < 1:
        return (), []
    vector = _vector(question)
    ordered = sorted(examples, key=lambda example: -_cosine(vector, _vector(example.question)))
    chosen: list[VerifiedExample] = []
    warnings: list[str] = []
    for example in ordered:
        if len(chosen) == count:
            break
        _, failure = check_answer(example.sql, schema.schema, schema.bindable)
        if failure is None:
            chosen.append(example)
        elif len(warnings) < count:
            reason = failure.message.split("\n")[0]
            warnings.append(f"the example {example.question!r} is left out, its SQL runs no more: {reason}")
        else:
            break
    return tuple(reversed(chosen)), warnings


@lru_cache(maxsize=CACHED_VECTORS)
def _vector(text: str) -> tuple[float, ...]:
    return tuple(encode([text])[0])


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / (math.hypot(*one) * math.hypot(*other) or 1.0)
