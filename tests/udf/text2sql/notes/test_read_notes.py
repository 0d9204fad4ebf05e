"""Notes are found, read in any encoding, and bounded; what is wrong with them is said and nothing is lost."""

from __future__ import annotations

import json

import pytest
from quackllm.udf.text2sql.notes.read_notes import MAX_BYTES, read_notes
from quackllm.workers.errors import RequestError


def test_beside_the_database(tmp_path) -> None:
    database = tmp_path / "shop.duckdb"
    (tmp_path / "shop.notes.md").write_text("# Shop\n<!-- for people -->\nrevenue: sum(amount)")
    (tmp_path / "shop.notes").mkdir()
    (tmp_path / "shop.notes" / "orders.md").write_text("# orders\none row an order")
    notes = read_notes("amounts are in cents", [database])
    assert notes.text == "# Shop\n\nrevenue: sum(amount)\n\n# orders\none row an order\n\namounts are in cents"
    assert notes.warnings == ()


@pytest.mark.parametrize(("encoding", "warned"), [("utf-8", 0), ("utf-8-sig", 0), ("utf-16", 1), ("gb18030", 1)])
def test_other_encodings(tmp_path, encoding, warned) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes("收入：金额之和".encode(encoding))
    notes = read_notes(str(path))
    assert notes.text == "收入：金额之和"
    assert len(notes.warnings) == warned


def test_what_is_no_text(tmp_path) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(b"\x00\x01\xff\xfe" * 50)
    with pytest.raises(RequestError, match="no text"):
        read_notes(str(path))
    path.rename(tmp_path / "shop.notes.md")
    assert "no text" in read_notes(None, [tmp_path / "shop.duckdb"]).warnings[0]


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(RequestError, match="cannot be read") as error:
        read_notes("gone.md")
    assert "quackllm notes draft" in error.value.hint


def test_a_stranger_reads_no_file(tmp_path) -> None:
    path = tmp_path / "secret.md"
    path.write_text("secret")
    assert read_notes(str(path), files_allowed=False).text == str(path)


def test_ten_megabytes(tmp_path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("revenue is sum(amount)\n" * 450_000)
    notes = read_notes(str(path))
    assert len(notes.text) <= MAX_BYTES
    assert "longer than 2 MB" in notes.warnings[0]
    assert "longer than 2 MB" in read_notes("x" * (MAX_BYTES + 1)).warnings[0]


def test_contradictions_are_said() -> None:
    notes = read_notes("- revenue: sum(amount)\n- **Revenue**: sum(net)\n- tax: 7 %\n- tax: 7 %")
    assert notes.warnings == ("the notes define 'revenue' twice: 'sum(amount)' and 'sum(net)'",)


def test_a_dbt_manifest(tmp_path) -> None:
    manifest = {
        "semantic_models": [
            {
                "name": "sale",
                "node_relation": {"alias": "fct_sale"},
                "description": "one row\na line",
                "measures": [{"name": "revenue", "agg": "sum", "expr": "amount / 100", "description": "in euros"}],
                "dimensions": [{"name": "day", "expr": "sold_at::DATE"}, {"name": "country"}],
            }
        ],
        "metrics": [{"name": "margin", "type_params": {"numerator": {"name": "p"}, "denominator": {"name": "r"}}}, 7],
    }
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "semantic_manifest.json").write_text(json.dumps(manifest))
    assert read_notes(None, [tmp_path / "shop.duckdb"]).text.split("\n") == [
        "## Table fct_sale",
        "one row a line",
        "- measure revenue: sum(amount / 100) in euros",
        "- day: sold_at::DATE",
        "## Metrics",
        "- margin: p / r",
    ]
