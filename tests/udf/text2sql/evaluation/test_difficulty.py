from __future__ import annotations

import pytest
from quackllm.udf.text2sql.evaluation.difficulty import spider_difficulty


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT count(*) FROM singer", "easy"),
        ("SELECT name FROM singer WHERE age > 20", "easy"),
        ("SELECT name, country FROM singer ORDER BY age DESC", "medium"),
        ("SELECT T1.name FROM a AS T1 JOIN b AS T2 ON T1.id = T2.id WHERE T2.x = 1", "medium"),
        ("SELECT max(a), min(a) FROM t WHERE b = 1 OR c = 2", "hard"),
        ("SELECT avg(x), max(x) FROM t WHERE a = 1 AND b = 2", "hard"),
        ("SELECT name FROM t WHERE id NOT IN (SELECT id FROM u)", "hard"),
        ("SELECT name FROM t EXCEPT SELECT name FROM u", "hard"),
        ("SELECT a.n, ANY_VALUE(a.m) FROM a JOIN b ON a.i = b.i GROUP BY a.n ORDER BY count(*) LIMIT 1", "extra"),
        ("SELECT a FROM t WHERE x = 1 GROUP BY a HAVING count(*) > (SELECT avg(y) FROM u)", "extra"),
        ("not a query at all (", None),
    ],
)  # fmt: skip
def test_difficulty_is_spiders(sql: str, level: str | None) -> None:
    assert spider_difficulty(sql) == level
