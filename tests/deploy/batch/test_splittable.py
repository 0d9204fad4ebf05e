"""Which SELECTs may be run in blocks: those of which each row depends on one row of the input."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.deploy.batch.splittable import check_splittable
from quackllm.workers.errors import RequestError

SPLIT = [
    "FROM input",
    "SELECT i, llm_result(chat(s)) AS a FROM input WHERE i > 3",
    "SELECT * EXCLUDE (s) FROM input AS x",
    "SELECT * FROM input x LEFT JOIN 'd.parquet' d USING (i)",
    "SELECT * FROM 'd.parquet' d LEFT JOIN 'e.parquet' USING (i) JOIN input USING (i) LEFT JOIN 'f.parquet' USING (i)",
    "WITH d AS (SELECT count(*) AS n FROM 'd.parquet') SELECT i, n FROM input, d",
    "SELECT i FROM 'd.parquet' d JOIN input USING (i)",
    "SELECT * FROM input SEMI JOIN 'd.parquet' USING (i)",
    "SELECT i, (SELECT max(x) FROM 'd.parquet') FROM input",
    "SELECT * FROM input WHERE i IN (SELECT i FROM 'd.parquet')",
    "SELECT list_sum([i, 2]), unnest([1, 2]), list_transform([i], lambda x: x + 1), s[1:2], i // 2 FROM input",
]
WHOLE = {
    "SELECT count(*) FROM input": "count(…)",
    "SELECT sum(i) + 1 FROM input": "sum(…)",
    "SELECT i FROM (FROM input)": "in a subquery",
    "WITH t AS (FROM input) SELECT * FROM t": "in a subquery",
    "WITH input AS (SELECT 1 AS i) SELECT * FROM input": "in a subquery",
    "SELECT json_group_array(i) FROM input": "json_group_array(…)",
    "SELECT approx_top_k(i, 3) FROM input": "approx_top_k(…)",
    "SELECT (SELECT sum(input.i)) FROM input": "sum(…)",
    "SELECT DISTINCT s FROM input": "DISTINCT",
    "SELECT s FROM input GROUP BY ALL": "GROUP BY",
    "SELECT s FROM input ORDER BY i": "ORDER BY",
    "SELECT * FROM input LIMIT 3": "LIMIT",
    "SELECT s FROM input OFFSET 3": "OFFSET",
    "SELECT * FROM input USING SAMPLE 10": "SAMPLE",
    "SELECT i FROM input QUALIFY row_number() OVER () = 1": "QUALIFY",
    "SELECT row_number() OVER () FROM input": "window",
    "SELECT * FROM input a JOIN input b USING (i)": "more than once",
    "SELECT * FROM 'd.parquet' d LEFT JOIN input USING (i)": "LEFT JOIN",
    "SELECT * FROM input FULL JOIN 'd.parquet' d USING (i)": "FULL JOIN",
    "SELECT * FROM 'd.parquet' POSITIONAL JOIN input": "POSITIONAL JOIN",
    "SELECT * FROM 'd.parquet' ANTI JOIN input USING (i)": "ANTI JOIN",
    "SELECT * FROM 'd.parquet' WHERE i IN (SELECT i FROM input)": "in a subquery",
    "SELECT i FROM input UNION SELECT 3": "UNION",
    "SELECT * FROM 'd.parquet' JOIN input USING (i) RIGHT JOIN 'e.parquet' USING (i)": "RIGHT JOIN",
    "FROM input PIVOT (sum(i) FOR s IN ('a', 'b'))": "PIVOT",
    "FROM input TABLESAMPLE 10 ROWS": "SAMPLE",
    "SELECT 1": "does not read `input`",
    "CREATE TABLE x AS FROM input": "only a SELECT",
    "SELEC": "only a SELECT",
}


@pytest.mark.parametrize("sql", SPLIT)
def test_row_by_row_is_split(sql: str) -> None:
    check_splittable(sql)


@pytest.mark.parametrize("sql", WHOLE)
def test_what_needs_all_rows_is_refused_by_name(sql: str) -> None:
    with pytest.raises(RequestError) as refused:
        check_splittable(sql)
    assert WHOLE[sql] in refused.value.message


CLAUSES = st.tuples(
    st.sampled_from(["i", "i, s", "*", "count(*)", "upper(s) AS u", "DISTINCT k", "max(i) OVER ()", "list(i)"]),
    st.sampled_from(["", " WHERE k = 1", " WHERE i > (SELECT 3)", " WHERE i = (SELECT max(i) FROM input)"]),
    st.sampled_from(["", " GROUP BY ALL", " ORDER BY i", " LIMIT 2", " QUALIFY true"]),
)


@given(CLAUSES, st.integers(1, 5))
def test_what_is_not_refused_gives_the_same_in_parts(clauses: tuple[str, str, str], parts: int) -> None:
    sql = f"SELECT {clauses[0]} FROM input{clauses[1]}{clauses[2]}"
    try:
        check_splittable(sql)
    except RequestError:
        return
    with duckdb.connect() as plain:
        plain.execute("CREATE TABLE everything AS SELECT i, 's' || i AS s, i % 3 AS k FROM range(11) t(i)")
        plain.execute("CREATE VIEW input AS FROM everything")
        whole = plain.execute(sql).fetchall()
        split = []
        for part in range(parts):
            plain.execute(f"CREATE OR REPLACE VIEW input AS FROM everything WHERE i % {parts} = {part}")
            split += plain.execute(sql).fetchall()
    assert sorted(split) == sorted(whole)
