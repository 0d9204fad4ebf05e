import time
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.udf.text2sql.schema.catalog import read_catalog
from quackllm.workers.binder import ReusedBinder, bind
from quackllm.workers.database_schema import Column, Schema, Table, join_name

SCHEMA = Schema(
    "shop",
    (
        Table("singer", (Column("name", "VARCHAR"), Column("age", "INTEGER"), Column("mood", "ENUM('ok', 'b;ad')"))),
        Table("old.orders", (Column("id", "BIGINT"), Column("note", ""), Column("odd", "NO_SUCH_TYPE(3)"))),
        Table("far.raw.order lines", (Column("s", "STRUCT(a INTEGER, b VARCHAR)[]"), Column("S", "INTEGER"))),
        Table("empty", ()),
    ),
)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name, avg(age) FROM singer WHERE mood = 'ok' GROUP BY name",
        "SELECT name FROM shop.main.singer",
        "SELECT name FROM shop.singer",
        "SELECT id, upper(note), odd || 'x' FROM old.orders",
        'SELECT s[1].b FROM far.raw."order lines"',
        "SELECT range FROM range(10000000000)",
    ],
)
def test_what_fits(sql):
    assert bind(sql, SCHEMA) is None


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("SELECT nam FROM singer", "binder", 'Candidate bindings: "name"'),
        ("SELECT name FROM singr", "catalog", 'Did you mean "singer"?'),
        ("SELECT uper(name) FROM singer", "catalog", 'Did you mean "upper"?'),
        ("SELECT sum(name) FROM singer", "binder", "No function matches"),
        ("SELECT name, count(*) FROM singer", "binder", "GROUP BY"),
        ("SELECT name FROM FROM singer", "parser", "syntax error"),
        ("SELECT * FROM 'data.csv'", "permission", "disabled by configuration"),
    ],
)
def test_what_does_not_fit_is_said_in_duckdbs_words(sql, kind, words):
    error = bind(sql, SCHEMA)
    assert error.kind == kind
    assert words in error.message


def test_a_variable_of_python_is_no_table():
    frame = pa.table({"a": [1]})
    assert bind("SELECT * FROM frame", SCHEMA).kind == "catalog", frame


def test_nothing_is_run():
    started = time.monotonic()
    assert bind("SELECT count(*) FROM range(1000000000000)", SCHEMA) is None
    assert time.monotonic() - started < 2


def test_the_copy_of_a_live_catalog():
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE a (i INT); CREATE TEMP TABLE b (j INT); CREATE VIEW v AS SELECT i + 1 AS k FROM a"
        )
        connection.execute(
            "CREATE SCHEMA s; CREATE TABLE s.c (l INT); ATTACH ':memory:' AS other; CREATE TABLE other.d (m INT)"
        )
        schema = read_catalog(connection)
    assert bind("SELECT i, j, k, l, m FROM a, b, v, s.c, other.d", schema) is None
    assert bind("SELECT i FROM memory.a, memory.main.v", schema) is None


def test_many_threads_and_many_schemas():
    schemas = [Schema(f"s{i}", (Table(f"t{i}", (Column("a", "INT"),)),)) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: bind(f"SELECT a FROM t{i % 40}", schemas[i % 40]), range(80)))
    assert found == [None] * 80


name = st.text(alphabet="ab.\"' ;)(,-北\n", min_size=1, max_size=6)
types = st.sampled_from(["INT", "", "WHAT", "INT); DROP TABLE x; --", "VARCHAR NOT", "ENUM('a')", "DECIMAL(99,1)"])
tables = st.builds(
    Table,
    st.lists(name, min_size=1, max_size=3).map(join_name),
    st.lists(st.builds(Column, name, types), max_size=3).map(tuple),
)


@given(st.builds(Schema, name, st.lists(tables, max_size=3).map(tuple)))
def test_a_schema_of_any_names_has_a_copy(schema):
    assert bind("SELECT 1", schema) is None


def test_many_schemas_are_bound_one_by_one_as_each_by_itself() -> None:
    binder = ReusedBinder()
    schemas = [Schema(tables=(Table(name, (Column(column, "INTEGER"),)),)) for name in "tu" for column in "ab"]
    queries = [f"SELECT {column} FROM {name}" for name in "tu" for column in "ab"]
    for schema in (*schemas, *schemas):
        for sql in queries:
            one, other = binder.bind(sql, schema), bind(sql, schema)
            assert (one and one.kind) == (other and other.kind), (sql, schema)
    elsewhere = Schema("shop", (Table("shop.main.t", (Column("a", "INTEGER"),)),))
    assert binder.bind("SELECT a FROM shop.main.t", elsewhere) is None
