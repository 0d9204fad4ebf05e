"""What an agent reads of a result: JSON whose size is bounded, with a hint at what was left out."""

from __future__ import annotations

import json
from decimal import Decimal

from quackllm.deploy.gateway.databases.database import Rows
from quackllm.deploy.gateway.mcp.rows_text import MAX_CHARACTERS, rows_text


def test_rows_are_json_with_all_digits() -> None:
    text = rows_text(
        Rows(("n", "x"), ("[170141183460469231731687303715884105727, 1.50]",), False), {"database": "shop"}
    )
    read = json.loads(text, parse_float=Decimal)
    assert read == {"database": "shop", "columns": ["n", "x"], "rows": [[2**127 - 1, Decimal("1.50")]]}


def test_no_rows_are_an_empty_list() -> None:
    assert json.loads(rows_text(Rows(("a",), (), False), {})) == {"columns": ["a"], "rows": []}


def test_a_result_that_has_more_rows_says_what_to_do() -> None:
    assert "more than these 1 rows" in json.loads(rows_text(Rows(("a",), ("[1]",), True), {}))["hint"]


def test_long_rows_and_long_values_are_cut_off_and_said_to_be() -> None:
    row = json.dumps(["é" * 10_000, 12345678901234567890.5], ensure_ascii=False)
    text = rows_text(Rows(("body", "n"), (row,) * 1000, False), {})
    assert len(text) < MAX_CHARACTERS + 500
    read = json.loads(text)
    assert read["hint"].startswith(f"only {len(read['rows'])} of the rows fit")
    assert read["rows"][0][0].endswith("… (10,000 characters)")
