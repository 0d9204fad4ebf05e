"""Spider's databases on other systems: copied from the data folder into whatever SQLAlchemy reaches, keys included."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import duckdb
from quackllm.udf.text2sql.evaluation.datasets import load_schema, open_database
from quackllm.workers.database_schema import Column, Schema, Table
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

TYPES = {
    "sqlite": {"VARCHAR": "TEXT", "DOUBLE": "REAL", "BOOLEAN": "BOOLEAN"},
    "postgresql": {"VARCHAR": "TEXT", "DOUBLE": "DOUBLE PRECISION"},
    "mysql": {"VARCHAR": "VARCHAR(400)", "DOUBLE": "DOUBLE"},
}
"""Of the types in Spider, those that are called otherwise."""


@dataclass
class Copied:
    """What was copied, and how many of the keys hold there."""

    tables: int = 0
    primary_keys: int = 0
    foreign_keys: int = 0


def copy_database(name: str, engine: Engine) -> Copied:
    """Create a database's tables with their rows, comments and those of its keys that its data does not violate."""
    schema, copied = load_schema(name), Copied()
    with duckdb.connect() as source:
        open_database(source, name)
        for table in schema.tables:
            _create(table, engine, _inline_keys(source, schema, table, engine))
            _insert(source, table, engine)
            copied.tables += 1
    if _family(engine) == "sqlite":  # It adds no key to a table that is there.
        return copied
    for table in schema.tables:
        copied.primary_keys += _primary_key(table, engine)
    for key in schema.foreign_keys:
        here, there = _quote(engine, key.table, key.column), _quote(engine, key.other_table, key.other_column)
        copied.foreign_keys += _try(
            engine, f"ALTER TABLE {here[0]} ADD FOREIGN KEY ({here[1]}) REFERENCES {there[0]} ({there[1]})"
        )
    return copied


def _create(table: Table, engine: Engine, keys: list[str]) -> None:
    columns = [f"{_quote(engine, column.name)[0]} {_type(column, engine)}" for column in table.columns]
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {_quote(engine, table.name)[0]} ({', '.join([*columns, *keys])})"))


def _inline_keys(source: duckdb.DuckDBPyConnection, schema: Schema, table: Table, engine: Engine) -> list[str]:
    if _family(engine) != "sqlite":
        return []
    primary = ", ".join(_quote(engine, *[column.name for column in table.columns if column.primary_key]))
    repeated = f'SELECT count(*) - count(DISTINCT ({primary})) FROM "{table.name}"'
    keys = [f"PRIMARY KEY ({primary})"] if primary and source.execute(repeated).fetchall() == [(0,)] else []
    for key in schema.foreign_keys:
        if key.table == table.name:
            here, other, there = _quote(engine, key.column, key.other_table, key.other_column)
            keys.append(f"FOREIGN KEY ({here}) REFERENCES {other} ({there})")
    return keys


def _type(column: Column, engine: Engine) -> str:
    return TYPES[_family(engine)].get(column.type, column.type)


def _insert(source: duckdb.DuckDBPyConnection, table: Table, engine: Engine) -> None:
    rows = source.execute(f'SELECT * FROM "{table.name}"').fetchall()
    if not rows:
        return
    names = ", ".join(_quote(engine, *[column.name for column in table.columns]))
    places = ", ".join(f":c{number}" for number in range(len(table.columns)))
    values = [{f"c{number}": cell for number, cell in enumerate(row)} for row in rows]
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {_quote(engine, table.name)[0]} ({names}) VALUES ({places})"), values)


def _primary_key(table: Table, engine: Engine) -> bool:
    names = [column.name for column in table.columns if column.primary_key]
    if not names:
        return False
    quoted = ", ".join(_quote(engine, *names))
    return _try(engine, f"ALTER TABLE {_quote(engine, table.name)[0]} ADD PRIMARY KEY ({quoted})")


def _try(engine: Engine, statement: str) -> bool:
    with suppress(SQLAlchemyError), engine.begin() as connection:
        connection.execute(text(statement))
        return True
    return False


def _quote(engine: Engine, *names: str) -> list[str]:
    return [engine.dialect.identifier_preparer.quote_identifier(name) for name in names]


def _family(engine: Engine) -> str:
    return "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name
