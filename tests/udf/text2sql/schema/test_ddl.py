from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.udf.text2sql.schema.ddl import _read_by_duckdb, _read_plain, is_ddl, read_ddl
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table

FAULTY = """CREATE TABLE "bi"."output" ( "id" varchar(32) COLLATE "pg_catalog"."default" NOT NULL DEFAULT
nextval('"bi".output_id_seq'::regclass), "at" timestamp(6), "village_code" varchar(32) COLLATE "pg_catalog"."default",
"first_industry" numeric(20,2), "second_industry" numeric(28,2),"third_industry" numeric(20,2),
CONSTRAINT "output_pkey" PRIMARY KEY ("id")); ALTER TABLE "bi"."output" OWNER TO "dev";
COMMENT ON COLUMN "bi"."output"."id" IS '主键id'; COMMENT ON COLUMN "bi"."output"."village code" IS '村编码';
COMMENT ON COLUMN "bi"."output"."first_industry" IS '第一产业产值(单位:元)'; COMMENT ON COLUMN
"bi"."output"."second_industry" IS '第二产业产值(单位:元)': COMNENT ON COLUMN "bi"."output"."third_industry"
Is '第三产业产值(单位:元)'; COMMENT ON TABLE "bi"."output" IS '农产统计表';"""

MYSQL = """CREATE TABLE IF NOT EXISTS `orders` (
  `id` int(11) unsigned NOT NULL AUTO_INCREMENT COMMENT '编号, it''s',
  `status` enum('on','not') NOT NULL DEFAULT 'on',
  `cust` bigint(20) COMMENT "who; bought",
  `at` datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`) USING BTREE, KEY `idx` (`cust`),
  CONSTRAINT `fk` FOREIGN KEY (`cust`) REFERENCES `customers` (`no`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='订单表';
CREATE TABLE `customers` (`no` bigint primary key, `name` varchar(32));
INSERT INTO customers VALUES (1, 'Ann');"""

POSTGRES = """CREATE TABLE public.people (id bigserial PRIMARY KEY, name character varying(20) NOT NULL,
at timestamp with time zone DEFAULT now(), boss bigint, tags text[], body jsonb);
ALTER TABLE ONLY public.people ADD CONSTRAINT boss_fk FOREIGN KEY (boss) REFERENCES public.people(id);
COMMENT ON COLUMN public.people.name IS 'who it''s';"""

WITH_KEY_LINES = """CREATE TABLE "stadium" ("Stadium_ID" BIGINT, "Name" VARCHAR);
-- primary key: Stadium_ID

CREATE TABLE "concert" ("Id" BIGINT, "Stadium_ID" BIGINT);
-- primary key: Id
-- foreign key: Stadium_ID -> stadium(Stadium_ID)
"""


def test_faulty_ddl_is_read_whole_and_said_to_be_unbound():
    ddl = read_ddl(FAULTY)
    (table,) = ddl.schema.tables
    assert not ddl.bindable
    assert (table.name, table.comment) == ("bi.output", "农产统计表")
    assert table.columns == (
        Column("id", "VARCHAR", True, "主键id"),
        Column("at", "TIMESTAMP"),
        Column("village_code", "VARCHAR", comment="村编码"),
        Column("first_industry", "DECIMAL(20,2)", comment="第一产业产值(单位:元)"),
        Column("second_industry", "DECIMAL(28,2)", comment="第二产业产值(单位:元)"),
        Column("third_industry", "DECIMAL(20,2)", comment="第三产业产值(单位:元)"),
    )


def test_mysql_ddl():
    ddl = read_ddl(MYSQL)
    orders, customers = ddl.schema.tables
    assert ddl.bindable
    assert (orders.name, orders.comment, customers.name) == ("orders", "订单表", "customers")
    assert orders.columns == (
        Column("id", "UINTEGER", True, "编号, it's"),
        Column("status", "ENUM('on', 'not')"),
        Column("cust", "BIGINT", comment="who; bought"),
        Column("at", "TIMESTAMP"),
    )
    assert ddl.schema.foreign_keys == (ForeignKey("orders", "cust", "customers", "no"),)


def test_postgres_ddl():
    ddl = read_ddl(POSTGRES)
    (people,) = ddl.schema.tables
    assert ddl.bindable
    assert people.name == "public.people"
    assert [c.type for c in people.columns] == [
        "BIGINT",
        "VARCHAR",
        "TIMESTAMP WITH TIME ZONE",
        "BIGINT",
        "VARCHAR[]",
        "JSON",
    ]
    assert people.columns[0].primary_key
    assert people.columns[1].comment == "who it's"
    assert ddl.schema.foreign_keys == (ForeignKey("public.people", "boss", "public.people", "id"),)


def test_keys_in_comment_lines():
    ddl = read_ddl(WITH_KEY_LINES)
    assert ddl.bindable
    assert [c.primary_key for table in ddl.schema.tables for c in table.columns] == [True, False, True, False]
    assert ddl.schema.foreign_keys == (ForeignKey("concert", "Stadium_ID", "stadium", "Stadium_ID"),)


def test_comments_behind_the_lines():
    schema = read_ddl(
        "CREATE TABLE sales (\n  sale_id INTEGER PRIMARY KEY, -- unique id\n  product INTEGER -- what was sold\n);\n"
        "CREATE TABLE products (no INTEGER);\n-- sales.product can be joined with products.no\n"
    ).schema
    assert [column.comment for column in schema.tables[0].columns] == ["unique id", "what was sold"]
    assert schema.foreign_keys == (ForeignKey("sales", "product", "products", "no"),)


def test_duckdb_ddl_with_types_views_and_databases():
    ddl = read_ddl(
        "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE warehouse.raw.t (m mood, s STRUCT(a INT, b VARCHAR)[]);"
        "CREATE VIEW v AS SELECT m FROM warehouse.raw.t"
    )
    assert ddl.bindable
    assert {table.name: [c.type for c in table.columns] for table in ddl.schema.tables} == {
        "v": ["ENUM('ok', 'bad')"],
        "warehouse.raw.t": ["ENUM('ok', 'bad')", "STRUCT(a INTEGER, b VARCHAR)[]"],
    }


def test_a_key_to_a_table_that_comes_later():
    ddl = read_ddl("CREATE TABLE a (x INT REFERENCES b(y)); CREATE TABLE b (y INT PRIMARY KEY)")
    assert ddl.bindable
    assert ddl.schema.foreign_keys == (ForeignKey("a", "x", "b", "y"),)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("sql", ["t AS", 't ("a(") AS', "t /* ) */ AS -- x\n", "t (a) AS"])
def test_rows_are_never_made(sql):
    ddl = read_ddl(f"CREATE TABLE {sql} SELECT count(*) AS a FROM range(1000000000000) x, range(1000000) y")
    assert ddl.schema.tables[0].columns[0].type == "BIGINT"


@pytest.mark.timeout(20)
def test_nothing_else_is_run(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    endless = "CREATE TYPE e AS ENUM (SELECT i::VARCHAR FROM range(10000000000) r(i))"
    read_ddl(f"CREATE TABLE t (a INT); COPY t TO '{folder}/x.csv'; ATTACH '{folder}/x.db'; {endless}")
    assert list(folder.iterdir()) == []


PIECES = r"""
(|STRUCT(x |a ARRAY<|CREATE TABLE t (|CREATE TABLE a LIKE b;|CREATE TABLE t (id INT) INHERITS (t);|CREATE |;|,|.|#|/*|--
'|"|`|[|{{|'\'|\'|""|$$ $_$ |“|a INT |a INT,|a.|a-|PRIMARY KEY (|REFERENCES t(|DEFAULT |co on table |)|>|/|VALUES [|（
COMMENT ON COLUMN t.x IS 'x';|ALTER TABLE t ADD b INT;|-- a.b can be joined with
"""
CRAFTED = [piece for line in PIECES.strip().splitlines() for piece in line.split("|")]
LONGEST = 200_000
"""Letters: the most that the gateway takes."""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", CRAFTED)
@pytest.mark.parametrize("behind", ["", ") "])
def test_text_that_is_crafted_to_be_slow_or_deep_is_read_in_seconds(piece: str, behind: str) -> None:
    """The work is linear: 200,000 letters take 2 s at most, where sqlglot's six dialects took 8 s."""
    crafted = piece * (LONGEST // len(piece))
    ddl = read_ddl(f"CREATE TABLE singer (age INT); CREATE TABLE crafted (a INT{behind}{crafted}")
    assert ddl.schema.tables[0] == Table("singer", (Column("age", "INTEGER"),))


@pytest.mark.timeout(60)
def test_thousands_of_types_and_names_are_read_in_seconds() -> None:
    types = ",".join(f"c{at} type{at}(1)" for at in range(14_000))
    comments = ";".join(f"COMMENT ON COLUMN t.x{at} IS 'x'" for at in range(5_000))
    ddl = read_ddl(f"CREATE TABLE t ({types}); {comments}")
    assert len(ddl.schema.tables[0].columns) == 14_000


@pytest.mark.parametrize(
    ("text", "expected"), [("create  table t(a int)", True), ("singer, concert", False), ("# Table: t", False)]
)
def test_is_ddl(text, expected):
    assert is_ddl(text) is expected


words = st.sampled_from(
    [*"(),;'\"`.-/*:", "CREATE TABLE", " t ", " a INT", "PRIMARY KEY", "COMMENT ON", " IS ", "'x'", "\n", "REFERENCES"]
)


@given(st.lists(words, max_size=30).map("".join))
def test_no_text_makes_it_fail(text):
    read_ddl("CREATE TABLE t (a INT); " + text)


NAMES = st.sampled_from(["a", "B", "order", "left", "date", "姓名", '"order"', '"a b"', '"x""y"', '"a.b"', '"A"'])
PLAIN_TYPES = st.sampled_from(["VARCHAR", "INTEGER", "BIGINT", "DOUBLE", "BOOLEAN", "DATE"])
COLUMNS = st.lists(st.tuples(NAMES, PLAIN_TYPES), min_size=1, max_size=3)


@settings(max_examples=20)
@given(st.lists(st.tuples(NAMES, COLUMNS), min_size=1, max_size=2))
def test_plain_ddl_is_read_as_duckdb_reads_it(tables: list[tuple[str, list[tuple[str, str]]]]) -> None:
    told = [f"CREATE TABLE {name} ({', '.join(' '.join(column) for column in columns)})" for name, columns in tables]
    plain, by_duckdb = (read("; ".join(told)) for read in (_read_plain, lambda text: _read_by_duckdb(text, Schema())))
    assert plain is None or plain == replace(by_duckdb or Schema("refused"), name="")


def test_most_ddl_that_is_plain_needs_no_duckdb() -> None:
    text = 'CREATE TABLE "歌手" ("姓名" VARCHAR, 年龄 INTEGER);\nCREATE TABLE head (age INTEGER, name VARCHAR);'
    assert _read_plain(text.replace("年龄", "age")) is not None
    assert _read_plain(text.replace("INTEGER", "INT")) is None
    assert _read_plain(text.replace("VARCHAR", "VARCHAR PRIMARY KEY", 1)) is None
