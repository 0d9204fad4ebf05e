"""Any table that can be written is read back, whatever its database's spelling; what is left out is said."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.udf.text2sql.schema.lenient_ddl import MAX_NOTES, parse_lenient
from quackllm.workers.database_schema import Column, Table, join_name


@dataclass(frozen=True)
class Dialect:
    """How a database spells quoted names, types, what stands behind a type, a column's comment, and a table's end."""

    quotes: tuple[str, str]
    types: dict[str, str]
    options: tuple[str, ...]
    comment: str = ""
    ends: tuple[str, ...] = ("", ";")
    creates: tuple[str, ...] = ("CREATE TABLE", "create table if not exists")


COMMON = {"INT": "INTEGER", "VARCHAR(20)": "VARCHAR", "decimal(10, 2)": "DECIMAL(10,2)", "DATE": "DATE"}
DIALECTS = {
    "mysql": Dialect(
        ("`", "`"),
        {**COMMON, "int(11) unsigned": "UINTEGER", "enum('a','b,c')": "ENUM('a', 'b,c')", "datetime(6)": "TIMESTAMP"},
        (
            "NOT NULL",
            "DEFAULT 'x, (y'",
            "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "AUTO_INCREMENT",
            "ON UPDATE NOW(6)",
        ),
        "COMMENT '{}'",
        (" ENGINE=InnoDB DEFAULT CHARSET=utf8;", " PARTITION BY HASH(a) PARTITIONS 4"),
    ),
    "hive": Dialect(
        ("`", "`"),
        {
            **COMMON,
            "map<string,array<int>>": "MAP(VARCHAR, INTEGER[])",
            "struct<a:string,b:int>": "STRUCT(a VARCHAR, b INTEGER)",
        },
        ("NOT NULL", ""),
        "COMMENT '{}'",
        (" STORED AS ORC", " CLUSTERED BY (x) INTO 4 BUCKETS TBLPROPERTIES ('a'='b, c)')"),
        ("CREATE EXTERNAL TABLE", "create temporary table"),
    ),
    "clickhouse": Dialect(
        ('"', '"'),
        {"Nullable(UInt8)": "UTINYINT", "Array(Tuple(a Int8, b String))": "STRUCT(a TINYINT, b VARCHAR)[]"},
        ("CODEC(Delta(4), ZSTD(1))", "DEFAULT now()", "TTL d + INTERVAL 1 MONTH", "MATERIALIZED x + 1"),
        "COMMENT '{}'",
        (" ENGINE = MergeTree(a) ORDER BY tuple()", " ENGINE = Memory SETTINGS x = 1"),
        ("CREATE TABLE", "ATTACH TABLE", "CREATE OR REPLACE TABLE"),
    ),
    "sql server": Dialect(
        ("[", "]"),
        {
            **COMMON,
            "[nvarchar](max)": "VARCHAR",
            "datetimeoffset(7)": "TIMESTAMP WITH TIME ZONE",
            "money": "DECIMAL(19,4)",
        },
        ("IDENTITY(1,1) NOT NULL", "CONSTRAINT df DEFAULT ((0))", "COLLATE Latin1_General_BIN", "SPARSE NULL"),
        ends=(" ON [PRIMARY]\nGO", " WITH (DATA_COMPRESSION = PAGE)"),
    ),
    "postgres": Dialect(
        ('"', '"'),
        {**COMMON, "text[]": "VARCHAR[]", "timestamp(3) without time zone": "TIMESTAMP", "double precision": "DOUBLE"},
        (
            "DEFAULT 'a'::character varying NOT NULL",
            "GENERATED ALWAYS AS (x * 2) STORED",
            "CHECK (x > 0 AND y < 'a,b')",
        ),
        ends=(" PARTITION BY RANGE (x);", " WITH (fillfactor=70) TABLESPACE t"),
        creates=("CREATE UNLOGGED TABLE", "CREATE TEMP TABLE IF NOT EXISTS", "CREATE GLOBAL TEMPORARY TABLE"),
    ),
    "teradata": Dialect(
        ('"', '"'),
        {**COMMON, "BYTEINT": "TINYINT", "INTERVAL DAY(4) TO SECOND(2)": "INTERVAL", "VARBYTE(10)": "BLOB"},
        ("FORMAT 'YYYY-MM-DD'", "COMPRESS (0.00, 1.00)", "NOT CASESPECIFIC NOT NULL"),
        "TITLE '{}'",
        (" UNIQUE PRIMARY INDEX (x);", " NO PRIMARY INDEX ON COMMIT PRESERVE ROWS"),
        ("CREATE MULTISET VOLATILE TABLE", "CREATE SET TABLE"),
    ),
    "bigquery": Dialect(
        ("`", "`"),
        {
            "INT64": "BIGINT",
            "STRUCT<a STRING, b ARRAY<INT64>>": "STRUCT(a VARCHAR, b BIGINT[])",
            "NUMERIC(5, 1)": "DECIMAL(5,1)",
        },
        ("NOT NULL", "DEFAULT [1, 2]", "COLLATE 'und:ci'"),
        "OPTIONS (description = '{}')",
        (" PARTITION BY DATE(x) OPTIONS (labels = [('a', 'b')])", ";"),
        ("CREATE OR REPLACE TABLE", "CREATE SNAPSHOT TABLE"),
    ),
}
LETTERS = st.characters(codec="utf-8", categories=("L", "N"), include_characters="_ -.,()#%'?：，（）")
NAMES = st.text(LETTERS, min_size=1, max_size=8).map(str.strip).filter(bool)
COMMENTS = st.text(LETTERS, max_size=12).map(str.strip)


@st.composite
def written_tables(draw: st.DrawFn, name: str = "t") -> tuple[str, Table]:
    """Return a CREATE TABLE in one dialect, and the table that it means."""
    dialect = draw(st.sampled_from(list(DIALECTS.values())))
    opening, closing = dialect.quotes
    banned = "'" if opening == "[" else ""  # A name in SQL Server's brackets is read where no quote is in it.
    names = draw(st.lists(NAMES.filter(lambda name: not set(name) & set(banned + ",")), min_size=1, max_size=5))
    unique = list({name.lower(): name for name in names}.values())
    columns, lines = [], []
    for column in unique:
        written, kind = draw(st.sampled_from(list(dialect.types.items())))
        comment = draw(COMMENTS) if dialect.comment else ""
        told = dialect.comment.format(comment.replace("'", "''")) if comment else ""
        option = draw(st.sampled_from(dialect.options))
        lines.append(f"{opening}{column}{closing} {written} {option} {told}".rstrip())
        columns.append(Column(column, kind, comment=comment))
    comma = draw(st.sampled_from([",", ",\n  ", "\n, ", " , "]))
    end = draw(st.sampled_from(dialect.ends))
    text = f"{draw(st.sampled_from(dialect.creates))} {opening}{name}{closing} ({comma.join(lines)}){end}"
    return text, Table(name, tuple(columns))


@settings(max_examples=300)
@given(written_tables())
def test_any_table_is_read_back_whole(written: tuple[str, Table]) -> None:
    text, table = written
    ddl = parse_lenient(text)
    assert ddl.schema.tables == (table,), text
    assert ddl.left_out == (), text


@settings(max_examples=100)
@given(st.tuples(*map(written_tables, ["a", "b c", "d"])), st.sampled_from([";\n", "\n\n", "\n/\n", ";;", " "]))
def test_tables_of_any_dialects_stand_beside_each_other(written: tuple[tuple[str, Table], ...], between: str) -> None:
    text = between.join(one for one, _ in written)
    assert parse_lenient(text).schema.tables == tuple(table for _, table in written), text


SQL_WORDS = """
    CREATE TABLE|t|a INT|PRIMARY KEY|COMMENT ON COLUMN t.a|IS|'x'|REFERENCES|LIKE|AS SELECT|PARTITIONED BY (|ARRAY<
    |INHERITS (t)|ALTER TABLE t ADD|--|（|，|
"""
WORDS = st.sampled_from([*"(),;'\"`.-/*:#[]<>{}$\\\n", *(f" {word.strip()} " for word in SQL_WORDS.split("|"))])


@settings(max_examples=500)
@given(st.lists(WORDS, max_size=40).map("".join))
def test_no_text_makes_it_fail(text: str) -> None:
    tables = parse_lenient("CREATE TABLE first (a INT); " + text).schema.tables
    assert tables[0].name == "first"
    assert tables[0].columns[0] == Column("a", "INTEGER")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CREATE TABLE t (a INT,\n b INT", "line 1: the brackets of t are not closed"),
        ("CREATE TABLE t (a INT,\n b INT), c INT)", "line 2: a bracket closes in t that nothing opened"),
        ("CREATE TABLE t (a INT COMMENT 'open, b INT)", "line 1: a quote opens here that is never closed"),
        ("\n\nCREATE TABLE t (a INT, * b)", "line 3: in t '* b' was not understood"),
        ("CREATE TABLE t (a INT 年龄)", "'年龄' was not understood"),
        ("CREATE TABLE t LIKE other", "t has the columns of other, which the text does not create"),
        ("CREATE TABLE t (a INT); ALTER TABLE t DROP COLUMN a", "ALTER TABLE t 'DROP COLUMN a' was not applied"),
        ("CREATE TABLE t (a INT); COMMENT ON COLUMN t.zebra IS 'x'", "there is a comment on zebra"),
        ("CREATE VIEW v AS SELECT a + 1 FROM t", "the column 'a + 1' has no name"),
    ],
)
def test_what_is_left_out_is_said_with_its_line(text: str, words: str) -> None:
    assert any(words in left for left in parse_lenient(text).left_out), parse_lenient(text).left_out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CREATE TABLE t (a INT\n b TEXT)", "line 2: in t a comma is missing before b"),
        ("CREATE TABLE t (a INT); COMNENT ON COLUMN t.a IS 'x'", "'COMNENT' was read as COMMENT ON"),
        (
            "CREATE TABLE t (user_name INT); COMMENT ON COLUMN t.usr_name IS 'x'",
            "usr_name was read as the comment on user_name",
        ),
    ],
)
def test_what_is_guessed_is_said_and_nothing_is_lost(text: str, words: str) -> None:
    ddl = parse_lenient(text)
    assert any(words in guess for guess in ddl.guessed), ddl.guessed
    assert ddl.left_out == ()


def test_only_so_many_faults_are_listed() -> None:
    ddl = parse_lenient("CREATE TABLE t (" + "* x,\n" * 1000 + "a INT)")
    assert len(ddl.left_out) == MAX_NOTES
    assert ddl.schema.tables[0].columns == (Column("a", "INTEGER"),)


def test_a_reserved_word_may_name_a_column() -> None:
    columns = "key INT, `index` TEXT, check BOOLEAN, period INT, comment TEXT, date DATE, type INT, title TEXT"
    text = f"CREATE TABLE t ({columns})"
    names = [column.name for column in parse_lenient(text).schema.tables[0].columns]
    assert names == ["key", "index", "check", "period", "comment", "date", "type", "title"]


def test_a_table_is_named_as_sql_must_write_it() -> None:
    text = "CREATE TABLE `a.b`.c (x INT); CREATE TABLE [my db].[dbo].[t] (x INT)"
    assert [table.name for table in parse_lenient(text).schema.tables] == [join_name(["a.b", "c"]), "my db.dbo.t"]
