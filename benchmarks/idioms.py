"""The calls that everyday SQL beside a model makes, against the least: each idiom must keep the guards.

    python benchmarks/idioms.py

Each idiom is a predicate of a join of which seven rows are left for the model; see benchmarks/shapes.py.
"""

from __future__ import annotations

import sys

from shapes import Shape, show

IDIOMS = (
    "t.body IS NOT NULL", "t.id::VARCHAR <> 'x'", "CAST(t.id AS VARCHAR) <> 'x'", "t.id::TEXT <> 'x'",
    "t.id::DOUBLE >= 0", "t.id::FLOAT8 >= 0", "t.id::HUGEINT >= 0", "t.id::UBIGINT >= 0", "t.id::DECIMAL(9, 2) >= 0",
    "(t.id >= 0)::BOOL", "t.ts::DATE < DATE '2030-01-01'", "t.ts::TIMESTAMP < TIMESTAMP '2030-01-01'",
    "t.day > DATE '2020-01-01' - INTERVAL 3 DAY", "t.day + INTERVAL '1 month' > t.day", "t.day > current_date - 30000",
    "t.day < today()", "t.day::TIMESTAMP < now()::TIMESTAMP", "date_trunc('year', t.day) < TIMESTAMP '2030-01-01'",
    "date_diff('day', t.day, today()) > 0", "extract(year FROM t.day) > 2000", "len(t.body) > 2",
    "substr(t.body, 1, 1) = 'r'", "substring(t.body FROM 1 FOR 1) = 'r'", "instr(t.body, 'r') > 0",
    "string_split(t.body, ' ')[1] = 'row'", "t.body[1] = 'r'", "t.body[1:3] = 'row'", "position('r' IN t.body) > 0",
    "t.body ^@ 'row'", "t.id ** 2 >= 0", "t.id ^ 2 >= 0", "t.id // 2 >= 0", "t.id % 2 < 2", "t.id & 1 < 2",
    "if(t.id >= 0, true, false)", "CASE WHEN t.id >= 0 THEN true END", "t.id BETWEEN 0 AND 999",
    "t.id IN (FROM range(9))",
    "t.kind IN ('kind 0', 'kind 1', 'kind 2', 'kind 3', 'kind 4', 'kind 5', 'kind 6')", "list_contains(t.l, t.id)",
    "t.id = ANY(t.l)", "t.l[1] = t.id", "len([x + 1 FOR x IN t.l]) = 2", "list_filter(t.l, lambda x: x >= 0) <> []",
    "t.j ->> 'a' <> 'x'", "(t.j -> 'a') IS NOT NULL", "json_extract(t.j, '$.a') IS NOT NULL",
    "t.id < 1_000", "t.id < 1e3",
    "t.body SIMILAR TO 'row.*'", "t.body LIKE 'row%'", "t.body NOT ILIKE 'x%'", "t.body ~ 'row.*'",
    "t.body GLOB 'row*'",
    "regexp_matches(t.body, '^row')", "concat_ws(' ', t.body, t.kind) <> ''", "t.body || t.kind <> ''",
    "t.body COLLATE NOCASE <> 'X'", "t.id IS DISTINCT FROM -1", "NOT (t.id < 0)", "(t.id, t.body) <> (-1, '')",
    "{'a': t.id}.a >= 0", "struct_extract({'a': t.id}, 'a') >= 0", "try_cast(t.body AS INTEGER) IS NULL",
    "coalesce(nullif(t.body, ''), 'x') <> 'x'", "greatest(t.id, 0) >= 0", "hash(t.body) <> 0", "md5(t.body) <> ''",
    "strftime(t.day, '%Y') <> '1999'", "(t.id = (SELECT max(s.id) FROM s) OR t.id < 100)",
    "EXISTS (FROM s WHERE s.id >= 0)",
)  # fmt: skip
STATEMENT = "SELECT t.id::VARCHAR FROM t JOIN u ON t.id = u.id WHERE u.language = 'Korean' AND {} AND {}"
YES = "llm_result(orc('yn: ' || t.body)) = 'yes'"


def load() -> list[Shape]:
    """Return a statement for each idiom."""
    return [Shape(idiom, STATEMENT.format(idiom, YES), 7) for idiom in IDIOMS]


if __name__ == "__main__":
    sys.exit(show("idioms", "Calls of statements with an idiom beside the model", load()))
