"""`quackllm notes` and `quackllm examples`: written without a model, read by every question."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from quackllm.udf.text2sql.notes.read_notes import read_notes
from typer.testing import CliRunner, Result

TABLES = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, country VARCHAR);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer (id), total_amount INTEGER,
    status VARCHAR, placed_at TIMESTAMP);
COMMENT ON COLUMN orders.status IS 'O: open, D: done';
INSERT INTO customer VALUES (1, 'France'), (2, 'China'), (3, 'France');
INSERT INTO orders VALUES (1, 1, 100, 'O', '2026-01-01 10:00:00');
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(TABLES)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def test_a_draft_says_what_the_data_says(shop: Path) -> None:
    result = run("notes", "draft", shop)
    assert result.exit_code == 0
    text = shop.with_suffix(".notes.md").read_text()
    for line in (
        "## Table orders",
        "One row is one order. (1 rows)",
        "- country: one of France, China",
        "- status: O: open, D: done",
        "- orders.customer_id = customer.id",
    ):
        assert line in text
    assert "<!-- in which currency and unit? -->" in text
    read = read_notes(None, [shop]).text
    assert "currency" not in read, "what is for people is not read"
    assert "one of France, China" in run("notes", "show", shop).stdout
    again = run("notes", "draft", shop)
    assert (again.exit_code, "--force" in again.stderr) == (1, True)


def test_no_notes(shop: Path) -> None:
    result = run("notes", "show", shop)
    assert result.exit_code == 1
    assert "quackllm notes draft" in " ".join(result.stderr.split())


def test_examples_are_added_listed_and_removed(shop: Path) -> None:
    assert run("examples", "add", shop, "How many orders are open?", "SELECT count(*) FROM orders").exit_code == 0
    assert "How many orders are open?\n    SELECT count(*) FROM orders" in run("examples", "list", shop).stdout
    assert run("examples", "add", shop, "How many?", "SELECT count(*) FROM invoices").exit_code == 1
    assert run("examples", "add", shop, "How many?").exit_code == 1
    assert run("examples", "remove", shop, "Which?").exit_code == 1
    assert run("examples", "remove", shop, "How many orders are open?").exit_code == 0
    assert run("examples", "list", shop).stdout == ""
