"""`ai_agg` over 100,000 texts of any length: is one left out, how many calls does it make, and after a changed row?

    python benchmarks/aggregate.py [--rows 100000] [--planted 1000]

A model in this process answers each part with how many texts it read and which planted words were among them, and adds
up such answers. So the last answer says how many texts were read in all. The calls are compared with those that the
tree of parts has.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import ClassVar

import pyarrow as pa
from pydantic import BaseModel
from quackllm.udf.ai import aggregation_tree
from quackllm.workers.engines import ENGINES
from quackllm.workers.messages import Request, Response, Usage

import quackllm

sys.path.insert(0, str(Path(__file__).parent))
PART_TOKENS = 4000
COUNTED = re.compile(r"^(\d+) texts:(.*)$", re.DOTALL)
PLANTED = re.compile(r"planted-\d+")
INSTRUCTION = "How many texts are there, and which planted words?"


class NoSettings(BaseModel):
    """There are none."""


class CountingEngine:
    """Answers a JSON list of texts with their number and the planted words in them."""

    Settings: ClassVar[type[BaseModel]] = NoSettings
    concurrency: ClassVar[int] = 64
    calls: ClassVar[int] = 0

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    async def start(self) -> None:
        """Nothing to load."""

    async def answer(self, request: Request) -> Response:
        """Count."""
        CountingEngine.calls += 1
        text = request.messages[-1].content
        return Response(counted(json.loads(text)), usage=Usage(len(text) // 4, 10))

    async def close(self) -> None:
        """Nothing to free."""


def counted(texts: Sequence[str]) -> str:
    """Return the answer about a part."""
    earlier = [COUNTED.match(text) for text in texts]
    count = sum(int(found[1]) if found else 1 for found in earlier)
    words = sorted({word for text in texts for word in PLANTED.findall(text)})
    return f"{count} texts: {' '.join(words)}".strip()


def made_texts(rows: int, planted: int) -> list[str]:
    """Return distinct texts of 20 to 20,000 characters, most of them short; some with a planted word."""
    draw = random.Random(7)
    words = [f"word{number}" for number in range(500)]
    texts = []
    for row in range(rows):
        length = int(20 * 1000 ** (draw.random() ** 3))
        body = " ".join(draw.choices(words, k=1 + length // 7))
        texts.append(f"{row}: {body}" + (f" planted-{row * planted // rows}" if row % (rows // planted) == 0 else ""))
    return texts


def expected_calls(texts: Sequence[str]) -> int:
    """Return how many calls the tree of parts has."""
    limit = PART_TOKENS * aggregation_tree.BYTES_PER_TOKEN
    parts = aggregation_tree.cut(aggregation_tree.pieces(sorted(texts), limit), limit)
    calls = len(parts)
    answers = [counted(part) for part in parts]
    while len(answers) > 1:
        parts = aggregation_tree.cut(answers, limit, least=2)
        calls += sum(len(part) > 1 for part in parts)
        answers = [counted(part) if len(part) > 1 else part[0] for part in parts]
    return calls


def main() -> None:
    """Aggregate, change a row, aggregate again, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--planted", type=int, default=1000)
    options = parser.parse_args()
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    ENGINES["counting"] = "aggregate:CountingEngine"
    sys.modules["aggregate"] = sys.modules["__main__"]
    quackllm.deploy("counter", "counting")
    texts = made_texts(options.rows, options.planted)
    pieces = len(aggregation_tree.pieces(texts, PART_TOKENS * aggregation_tree.BYTES_PER_TOKEN))
    print(f"{len(texts):,} texts, {sum(map(len, texts)) / 1e6:.1f} million characters, {pieces:,} pieces")
    with quackllm.connect() as connection:
        connection.register("given", pa.table({"body": texts}))
        connection.execute("CREATE TABLE review AS SELECT row_number() OVER () AS id, body FROM given")
        ask(connection, options.planted, pieces)
        print(f"calls as computed: {expected_calls(texts):,}")
        connection.execute("UPDATE review SET body = body || ' changed' WHERE id = 1234")
        ask(connection, options.planted, None)
        ask(connection, options.planted, None)


def ask(connection: quackllm.Connection, planted: int, pieces: int | None) -> None:
    """Aggregate once; print the calls, the seconds and what was read."""
    before, started = CountingEngine.calls, perf_counter()
    (answer,) = connection.execute(f"SELECT ai_agg(body, '{INSTRUCTION}') FROM review").fetchone() or ("",)
    found = COUNTED.match(answer)
    assert found is not None, answer
    seconds, words = perf_counter() - started, len(PLANTED.findall(found[2]))
    calls, read = CountingEngine.calls - before, int(found[1])
    print(f"{calls:,} calls, {seconds:.1f} s: {read:,} pieces read, {words:,} planted words")
    assert words == planted
    assert pieces is None or read == pieces


if __name__ == "__main__":
    main()
