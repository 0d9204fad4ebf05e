"""The calls that statements of many shapes make, against the least: benchmarks/shapes.yaml says how many that is.

    python benchmarks/shapes.py

One engine in this process answers by the hash of what it is asked, and counts. The exit status is 1 if a statement
makes more calls than its row says, or more than without the planner.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import yaml
from report import keep, tell

import quackllm
from support.sql_oracle import oracles

FILE = Path(__file__).with_name("shapes.yaml")
TABLES = """
CREATE TABLE t AS SELECT i AS id, 'row ' || i AS body, 'kind ' || i % 12 AS kind, DATE '2020-01-01' + i::INTEGER AS day,
    [i, i + 1] AS l, {'a': i::VARCHAR}::JSON AS j, TIMESTAMP '2020-01-01 10:00:00' AS ts FROM range(300) t(i);
CREATE TABLE u AS SELECT i AS id, CASE WHEN i < 7 THEN 'Korean' ELSE 'other' END AS language, 'text ' || i AS text
    FROM range(300) t(i);
CREATE TABLE s AS SELECT i AS id, 'small ' || i AS body FROM range(20) t(i);
CREATE TABLE k (id INTEGER PRIMARY KEY, body VARCHAR);
CREATE VIEW judged (id, ok) AS SELECT id, llm_result(orc('yn: ' || body)) FROM t;
CREATE VIEW liked AS SELECT id FROM judged WHERE ok = 'yes';
CREATE MACRO likes(x) AS llm_result(orc('yn: ' || x)) = 'yes';
CREATE MACRO likes_both(x, y) AS likes(x) AND likes(y);
CREATE MACRO between_ids(low, high) AS TABLE SELECT * FROM judged WHERE id BETWEEN low AND high;
"""
YES = "llm_result(orc('yn: ' || body)) = 'yes'"


@dataclass(frozen=True)
class Shape:
    """A statement, as shapes.yaml explains its keys."""

    name: str
    sql: str
    least: int
    calls: int = 0
    why: str = ""

    @property
    def allowed(self) -> int:
        """The calls that quackllm may make."""
        return max(self.least, self.calls)


def load() -> list[Shape]:
    """Return the statements of shapes.yaml."""
    rows = yaml.safe_load(FILE.read_text("utf-8"))
    return [Shape(**{**row, "sql": row["sql"].replace("{yes}", YES)}) for row in rows]


@contextmanager
def tables(prefetch: str) -> Iterator[quackllm.Connection]:
    """Open a database with the tables; `prefetch` switches the planner on or off, and answers are not stored."""
    with quackllm.connect(model="orc") as connection:
        connection.execute(TABLES)
        connection.execute(f"SET VARIABLE llm_prefetch = '{prefetch}'; SET VARIABLE llm_store = 'off'")
        yield connection


def calls(shape: Shape, asked: list[str], prefetch: str) -> int:
    """Run a statement in a database of its own, and return how many calls it made."""
    with tables(prefetch) as connection:
        asked.clear()
        connection.execute(shape.sql).fetchall()
        return len(asked)


def show(name: str, title: str, shapes: Sequence[Shape]) -> int:
    """Print the calls of each statement against the least; return the exit status."""
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    with oracles() as asked:
        counts = [(shape, calls(shape, asked, "on"), calls(shape, asked, "off")) for shape in shapes]
    rows = [(each.name, f"{each.least:,}", f"{made:,}", f"{plain:,}", each.why) for each, made, plain in counts]
    tell(title, ("", "least", "planned", "plain", "why"), rows)
    keep(
        name,
        [{"name": each.name, "least": each.least, "planned": made, "plain": plain} for each, made, plain in counts],
    )
    worse = [each.name for each, made, plain in counts if made > min(each.allowed, plain)]
    print(f"{len(counts) - len(worse)} of {len(counts)} make the calls that their rows say")
    for each in worse:
        print(f"too many: {each}")
    return bool(worse)


if __name__ == "__main__":
    sys.exit(show("shapes", "Calls of statements of many shapes", load()))
