import duckdb
import pytest
from quackllm.udf.text2sql.schema.catalog import read_catalog
from quackllm.workers.database_schema import Column, ForeignKey, quote_path
from quackllm.workers.errors import SchemaError


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def names(schema):
    return {table.name for table in schema.tables}


def table(schema, name):
    return next(table for table in schema.tables if table.name == name)


def test_comments_types_and_examples_are_read(connection):
    connection.execute("CREATE TABLE city (name VARCHAR, population BIGINT, founded DATE, tags VARCHAR[])")
    connection.execute("COMMENT ON TABLE city IS 'cities, all'; COMMENT ON COLUMN city.population IS '人口'")
    connection.execute("INSERT INTO city VALUES ('北京', 5, '1045-01-01', ['a']), ('Rome', 3, '0001-01-01', [])")
    city = table(read_catalog(connection), "city")
    assert city.comment == "cities, all"
    assert city.columns == (
        Column("name", "VARCHAR", examples=("北京", "Rome"), values=("北京", "Rome"), complete=True),
        Column("population", "BIGINT", comment="人口", examples=("5", "3")),
        Column("founded", "DATE", examples=("1045-01-01",)),
        Column("tags", "VARCHAR[]"),
    )


def test_names_are_what_sql_must_write(connection):
    connection.execute("CREATE TABLE plain (i INT); CREATE TEMP TABLE passing (i INT); CREATE VIEW seen AS FROM plain")
    connection.execute('CREATE SCHEMA "my.schema"; CREATE TABLE "my.schema"."or""ders" (i INT)')
    connection.execute("ATTACH ':memory:' AS other; CREATE TABLE other.far (i INT)")
    connection.execute("CREATE SCHEMA other.deep; CREATE TABLE other.deep.farther (i INT)")
    schema = read_catalog(connection)
    assert names(schema) == {"plain", "passing", "seen", '"my.schema"."or""ders"', "other.far", "other.deep.farther"}
    for name in names(schema):
        connection.execute(f"SELECT i FROM {quote_path(name)}")


def test_names_of_the_same_spelling_stay_apart(connection):
    connection.execute("CREATE TABLE t (a INT); CREATE TEMP TABLE t (b INT)")
    connection.execute(
        "ATTACH ':memory:' AS s; CREATE TABLE s.t (c INT); CREATE SCHEMA memory.s; CREATE TABLE memory.s.t (d INT)"
    )
    schema = read_catalog(connection)
    for each in schema.tables:
        connection.execute(f"SELECT {each.columns[0].name} FROM {quote_path(each.name)}")
    assert len(names(schema)) == 4


def test_after_use_the_current_schema_is_unqualified(connection):
    connection.execute("CREATE TABLE t (i INT); CREATE SCHEMA s; CREATE TABLE s.u (j INT); USE memory.s")
    assert names(read_catalog(connection)) == {"u", "main.t"}


def test_uncommitted_tables_are_seen_and_the_transaction_lives_on(connection):
    connection.execute("BEGIN; CREATE TABLE draft (i INT); INSERT INTO draft VALUES (1)")
    assert table(read_catalog(connection), "draft").columns[0].examples == ("1",)
    connection.execute("ROLLBACK")
    assert names(read_catalog(connection)) == set()


def test_declared_keys(connection):
    connection.execute("CREATE SCHEMA s; CREATE TABLE s.a (x INT, y INT, PRIMARY KEY (x, y))")
    connection.execute("CREATE TABLE s.b (p INT, q INT, FOREIGN KEY (p, q) REFERENCES s.a (x, y))")
    schema = read_catalog(connection)
    assert [column.primary_key for column in table(schema, "s.a").columns] == [True, True]
    assert set(schema.foreign_keys) == {ForeignKey("s.b", "p", "s.a", "x"), ForeignKey("s.b", "q", "s.a", "y")}


def test_keys_in_a_comment_are_keys_and_not_shown(connection):
    connection.execute("CREATE TABLE Parts (Number INT); CREATE TABLE uses (part INT, line INT)")
    connection.execute(
        "COMMENT ON TABLE uses IS 'what is used\nprimary key: part, line\nforeign key: part -> parts(number)'"
    )
    schema = read_catalog(connection)
    assert table(schema, "uses").comment == "what is used"
    assert [column.primary_key for column in table(schema, "uses").columns] == [True, True]
    assert schema.foreign_keys == (ForeignKey("uses", "part", "Parts", "Number"),)


def test_keys_are_told_by_names_where_none_is_declared(connection):
    connection.execute("CREATE TABLE singers AS SELECT i AS singer_id, 'n' || i AS name FROM range(3) r(i)")
    connection.execute("CREATE TABLE concerts AS SELECT i AS id, 1 AS singer_id FROM range(3) r(i)")
    connection.execute("CREATE TABLE tickets (concert_id INT, seat INT)")
    schema = read_catalog(connection)
    keys = [column.name for each in schema.tables for column in each.columns if column.primary_key]
    assert keys == ["singer_id", "id"]
    assert set(schema.foreign_keys) == {
        ForeignKey("concerts", "singer_id", "singers", "singer_id"),
        ForeignKey("tickets", "concert_id", "concerts", "id"),
    }


def test_a_column_whose_values_repeat_is_no_key(connection):
    connection.execute(
        "CREATE TABLE singers AS SELECT 7 AS singer_id FROM range(3); CREATE TABLE songs (singer_id INT)"
    )
    schema = read_catalog(connection)
    assert not table(schema, "singers").columns[0].primary_key
    assert schema.foreign_keys == ()


def test_a_view_is_never_run(connection):
    connection.execute("CREATE VIEW costly AS SELECT error('this was run') AS message")
    assert table(read_catalog(connection), "costly").columns[0].examples == ()
    connection.execute("CREATE TABLE g (a INT, b BIGINT AS (a + 1))")
    connection.execute("INSERT INTO g (a) VALUES (1)")
    assert [column.examples for column in table(read_catalog(connection), "g").columns] == [("1",), ()]


def test_a_view_over_a_dropped_table_does_no_harm(connection):
    connection.execute("CREATE TABLE t (i INT); CREATE VIEW v AS FROM t; DROP TABLE t; CREATE TABLE u (i INT)")
    assert "u" in names(read_catalog(connection))


def test_chosen_tables_only(connection):
    connection.execute(
        "CREATE TABLE a (i INT); CREATE TABLE b (i INT); ATTACH ':memory:' AS other; CREATE TABLE other.c (i INT)"
    )
    assert names(read_catalog(connection, ["A", "other"])) == {"a", "other.c"}
    assert names(read_catalog(connection, ["memory"])) == {"a", "b"}
    with pytest.raises(SchemaError, match="did you mean 'other'"):
        read_catalog(connection, ["othr"])


def test_long_values_are_not_shown(connection):
    connection.execute(
        "CREATE TABLE t AS SELECT repeat('x', 55) AS a, repeat('y', 30) || i AS b, 'z' AS c FROM range(4) r(i)"
    )
    a, b, c = table(read_catalog(connection), "t").columns
    assert (len(a.examples), len(b.examples), len(c.examples)) == (0, 1, 1)
    assert len(b.values) == 4


def test_the_same_catalog_gives_the_same_schema(connection):
    connection.execute(
        "CREATE TABLE t AS SELECT (i * 7919) % 100003 AS a, 'v' || i % 1000 AS b FROM range(100000) r(i)"
    )
    assert read_catalog(connection) == read_catalog(connection)
    assert len(table(read_catalog(connection), "t").columns[1].values) == 500
