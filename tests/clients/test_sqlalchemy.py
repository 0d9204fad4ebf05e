"""The SQLAlchemy dialect: LLM functions in statements, and a catalog that Superset and jupysql can read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import MetaData, create_engine, func, inspect, select, text
from sqlalchemy.dialects import registry
from sqlalchemy.engine import Engine

import quackllm

registry.register("quackllm", "quackllm.sqlalchemy", "Dialect")  # As the wheel's entry point does.
SCHEMA = """
    CREATE TABLE singer (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL UNIQUE, fee DECIMAL(9, 2), tags VARCHAR[]);
    CREATE TABLE concert (id INTEGER, singer_id INTEGER REFERENCES singer (id));
    COMMENT ON TABLE concert IS 'an evening'; COMMENT ON COLUMN concert.singer_id IS 'who sings';
    CREATE VIEW names AS SELECT name FROM singer;
    INSERT INTO singer VALUES (1, 'Ann', 9.5, ['x']), (2, 'Bo', NULL, NULL);
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    quackllm.deploy("parrot", "echo")
    engine = create_engine(f"quackllm:///{tmp_path / 'shop.duckdb'}?model=parrot")
    with engine.begin() as connection:
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(text(statement))
    yield engine
    engine.dispose()


def test_statements_call_models_with_parameters(engine: Engine) -> None:
    with engine.connect() as connection:
        query = text("SELECT llm_result(llm_chat('hello ' || name)) FROM singer WHERE id = :id")
        assert connection.execute(query, {"id": 2}).scalar_one() == "echo: hello Bo"
        singer = sqlalchemy.Table("singer", MetaData(), autoload_with=engine)
        asked = select(func.ai_complete(singer.c.name)).where(singer.c.fee > 1)
        assert connection.execute(asked).scalars().all() == ["echo: Ann"]


def test_the_catalog_is_read_from_duckdb(engine: Engine) -> None:
    found = inspect(engine)
    assert found.get_table_names() == ["concert", "singer"]
    assert found.get_view_names() == ["names"]
    assert "shop.main" in found.get_schema_names()
    columns = {column["name"]: column for column in found.get_columns("singer", schema="shop.main")}
    assert [str(column["type"]) for column in columns.values()] == ["INTEGER", "VARCHAR", "NUMERIC(9, 2)", "VARCHAR"]
    assert not columns["name"]["nullable"]
    assert found.get_columns("concert")[1]["comment"] == "who sings"
    assert found.get_pk_constraint("singer")["constrained_columns"] == ["id"]
    assert found.get_foreign_keys("concert")[0]["referred_table"] == "singer"
    assert found.get_unique_constraints("singer")[0]["column_names"] == ["name"]
    assert found.get_table_comment("concert")["text"] == "an evening"
    assert found.has_table("names")
    assert not found.has_table("nobody")
    with pytest.raises(sqlalchemy.exc.NoSuchTableError):
        found.get_columns("nobody")
    everything = MetaData()
    everything.reflect(engine, views=True)
    assert set(everything.tables) == {"singer", "concert", "names"}


def test_read_only_holds(engine: Engine) -> None:
    path = engine.url.database
    engine.dispose()
    reader = create_engine(f"quackllm:///{path}?read_only=true")
    with reader.connect() as connection, pytest.raises(sqlalchemy.exc.DBAPIError, match="read-only"):
        connection.execute(text("DROP TABLE concert"))
    reader.dispose()
