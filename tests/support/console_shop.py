"""A small shop to ask about on the console: a DuckDB file, a SQLite file, and the gateway's list of both."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb

SHOP = """
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR, city VARCHAR, country VARCHAR, joined_on DATE);
    INSERT INTO customers SELECT i, 'Customer ' || i, ['Paris', 'Rome', 'Lima', 'Tokyo'][i % 4 + 1],
        ['France', 'Italy', 'Peru', 'Japan'][i % 4 + 1], DATE '2024-01-01' + (i * 5)::INTEGER FROM range(1, 121) t(i);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id), ordered_on DATE,
        amount DECIMAL(10, 2), status VARCHAR);
    INSERT INTO orders SELECT i, i % 120 + 1, DATE '2025-01-01' + (i % 300)::INTEGER, (i * 7 % 500) + 0.50,
        ['open', 'shipped', 'delivered', 'delivered', 'shipped', 'delivered', 'cancelled'][i % 7 + 1]
        FROM range(1, 601) t(i);
    COMMENT ON COLUMN orders.status IS 'open, shipped, delivered or cancelled';
    CREATE TABLE reviews AS SELECT i AS id, 'Review number ' || i || ': the cup is lovely' AS body
        FROM range(1, 61) t(i);
    CREATE TABLE visits AS SELECT i AS id, 'visitor ' || (i % 997) AS visitor, (i * 37 % 9001) / 10 AS seconds
        FROM range(10000) t(i);
    CREATE TABLE 顾客 AS SELECT i AS 编号, ['王芳', '李明', '张伟'][i % 3 + 1] AS 姓名,
        ['北京', '上海'][i % 2 + 1] AS 城市 FROM range(1, 13) t(i);
"""
TOO_LARGE_FOR_JAVASCRIPT = 9007199254740993


def make_shop(home: Path) -> None:
    """Write both databases and `databases.yaml` into a QUACKLLM_HOME."""
    home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(home / "shop.duckdb")) as shop:
        shop.execute(SHOP)
    with sqlite3.connect(home / "singers.sqlite") as singers:
        singers.execute("CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, born TEXT)")
        rows = [(TOO_LARGE_FOR_JAVASCRIPT, "Ann", "1990-03-04"), (2, "Bo", "1985-11-30")]
        singers.executemany("INSERT INTO singer VALUES (?, ?, ?)", rows)
    singers.close()
    lines = f"shop: duckdb:///{home}/shop.duckdb\nsingers: sqlite:///{home}/singers.sqlite\n"
    (home / "databases.yaml").write_text(lines, "utf-8")
