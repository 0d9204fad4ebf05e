from __future__ import annotations

import random
from functools import lru_cache

import pytest
from quackllm.workers.binder import Binder
from quackllm.workers.builtin.network.numpy_network import load_network
from quackllm.workers.builtin.semantic_parser import DeclinedError, NoSchemaError, parse
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table
from quackllm.workers.mschema import format_mschema

KINDS = (
    "INTEGER",
    "DOUBLE",
    "VARCHAR",
    "DATE",
    "TIMESTAMP",
    "BOOLEAN",
    "DECIMAL(9,2)",
    "BLOB",
    "INTEGER[]",
    "JSON",
    "UUID",
    "",
)
NAMES = (
    *(
        "id",
        "a",
        "x1",
        "T0091",
        "cust_nm",
        "select",
        "order",
        "Ünïcode",
        "数量",
        "客户编号",
        "with space",
        'quo"te',
        "a.b",
    ),
    *("year", "month", "date", "count", "total", "null", "___", "1st", "é", "名", "created_at", "is_active", "%", "--"),
)
QUESTIONS = (
    "How many rows are there?",
    "total of everything by month last year",
    "top 3 per group without any",
    "上个月各客户的总数量占比",
    "x" * 500,
    "What percentage of a is 'x' or \"y\"; -- DROP",
)


def adversarial_schema(seed: int) -> Schema:
    """A schema that nobody should have: cryptic, keyless, wide, empty, with names that want quotes."""
    chance = random.Random(seed)
    tables = []
    for number in range(chance.choice((1, 1, 2, 5, 12))):
        width = chance.choice((0, 1, 3, 8, 30)) if seed % 20 else 2000 // (number + 1)
        names = dict.fromkeys(f"{chance.choice(NAMES)}{chance.choice(('', '_', place))}" for place in range(width))
        columns = tuple(
            Column(name, chance.choice(KINDS), chance.random() < 0.1, chance.choice(("", "", "备注, x", "a 'b' \"c\"")))
            for name in {name.lower(): name for name in names}.values()
        )
        tables.append(Table(f"{chance.choice(('t', 'T_', 'main_fact', '表'))}{number}", columns))
    full = [table for table in tables if table.columns]
    keys = [
        ForeignKey(one.name, chance.choice(one.columns).name, two.name, chance.choice(two.columns).name)
        for one in full
        for two in full
        if chance.random() < 0.2
    ]
    return Schema("strange", tuple(tables), tuple(keys))


@lru_cache(maxsize=1)
def network() -> object:
    return load_network()


@pytest.mark.parametrize("seed", range(100))
def test_every_schema_is_answered_or_declined(seed: int) -> None:
    schema = adversarial_schema(seed)
    text = format_mschema(schema)
    for question in QUESTIONS[seed % 2 :: 2]:
        try:
            answer = parse(network(), text, [], question)  # type: ignore[arg-type]
        except (DeclinedError, NoSchemaError):
            continue
        assert Binder(schema).binds(answer.sql), answer.sql
        assert 0 <= answer.confidence <= 1
