import string

from hypothesis import given
from hypothesis import strategies as st
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table, join_name, quote_path, split_name
from quackllm.workers.mschema import format_mschema, parse_mschema

SHOP = Schema(
    "shop",
    (
        Table(
            "customers",
            (
                Column("id", "INTEGER", True, "", ("1", "2", "3")),
                Column("Percent (%)", "DECIMAL(10,2)", comment="share, in percent (of all)"),
                Column("城市", "VARCHAR", comment="所在城市", examples=("北京", "上海")),
            ),
            "people who bought, at least once",
        ),
        Table(
            "sales.order lines", (Column("customer id", "INTEGER"), Column("tags", "STRUCT(a INTEGER, b VARCHAR)[]"))
        ),
    ),
    (ForeignKey("sales.order lines", "customer id", "customers", "id"),),
)

SHOP_TEXT = """\
【DB_ID】 shop
【Schema】
# Table: customers, people who bought, at least once
[
(id:INTEGER, Primary Key, Examples: [1, 2, 3]),
(Percent (%):DECIMAL(10,2), share, in percent (of all)),
(城市:VARCHAR, 所在城市, Examples: [北京, 上海])
]
# Table: sales.order lines
[
(customer id:INTEGER),
(tags:STRUCT(a INTEGER, b VARCHAR)[])
]
【Foreign keys】
sales.order lines.customer id=customers.id"""


def test_write_gives_the_published_form():
    assert format_mschema(SHOP) == SHOP_TEXT


def test_read_gives_back_what_was_written():
    assert parse_mschema(SHOP_TEXT) == SHOP


def test_read_takes_columns_on_one_line_and_the_key_before_the_comment():
    schema = parse_mschema(
        "【DB_ID】 shop\n【Schema】\n# Table: orders, customers' orders\n"
        "[(id:INTEGER, Primary Key, order number, Examples: [1, 2, 3]), (customer_id:INTEGER, Examples: [7, 9])]\n"
        "【Foreign keys】\norders.`customer_id` = customers.`id`\n"
    )
    assert schema.tables[0].comment == "customers' orders"
    assert schema.tables[0].columns == (
        Column("id", "INTEGER", True, "order number", ("1", "2", "3")),
        Column("customer_id", "INTEGER", examples=("7", "9")),
    )
    assert schema.foreign_keys == (ForeignKey("orders", "customer_id", "customers", "id"),)


def test_read_joins_a_comment_that_goes_on_in_the_next_line():
    column = (
        parse_mschema("# Table: t\n[\n(a:INTEGER, the first\nand the second, Primary Key),\n(b:TEXT)\n]")
        .tables[0]
        .columns[0]
    )
    assert column == Column("a", "INTEGER", True, "the first and the second")


def test_read_does_not_need_headings():
    assert parse_mschema("# Table: t\n[\n(a),\n(b:INT)\n]").tables == (Table("t", (Column("a"), Column("b", "INT"))),)


def test_read_of_other_text_has_no_tables():
    assert parse_mschema("How many singers are there?").tables == ()


def test_write_shows_no_more_examples_than_asked_for():
    column = Column("a", "INTEGER", examples=("1", "2", "3"), values=("1", "2", "3", "4"))
    schema = Schema("x", (Table("t", (column,)),))
    assert "(a:INTEGER, Examples: [1, 2])" in format_mschema(schema, max_examples=2)
    assert "(a:INTEGER)" in format_mschema(schema, max_examples=0)


def test_sql_name_quotes_every_part():
    assert quote_path("sales.order lines") == '"sales"."order lines"'
    assert quote_path(join_name(["a.b", 'c"d'])) == '"a.b"."c""d"'


nasty = st.text(
    alphabet=st.sampled_from([*string.printable, *"【】：，。（）订单表é\u2028\\`\"'"]), max_size=12
) | st.sampled_from(
    [
        "Primary Key",
        "a, Primary Key",
        "x, Examples: [1]",
        "), (b:INT",
        "# Table: t",
        "【Schema】",
        '"',
        "[(",
        "a.b=c.d",
        ")",
    ]
)
name = nasty.filter(bool)
types = st.sampled_from(
    [
        "",
        "BIGINT",
        "DECIMAL(10,2)",
        "VARCHAR[]",
        'STRUCT(a INTEGER, "b, c" VARCHAR)',
        "ENUM('a, b', ')')",
        "MAP(VARCHAR, INTEGER)",
    ]
)
table_name = st.lists(name, min_size=1, max_size=3).map(join_name)
columns = st.builds(Column, name, types, st.booleans(), nasty, st.lists(nasty, max_size=5).map(tuple))
tables = st.builds(Table, table_name, st.lists(columns, max_size=4).map(tuple), nasty)
foreign_keys = st.builds(ForeignKey, table_name, name, table_name, name)
schemas = st.builds(
    Schema, nasty, st.lists(tables, max_size=3).map(tuple), st.lists(foreign_keys, max_size=2).map(tuple)
)


@given(schemas)
def test_every_schema_reads_back_as_it_was_written(schema):
    assert parse_mschema(format_mschema(schema)) == schema


@given(st.lists(name, min_size=1, max_size=3))
def test_names_split_as_they_were_joined(parts):
    assert split_name(join_name(parts)) == tuple(parts)


@given(st.text(max_size=200) | nasty)
def test_read_never_fails(text):
    assert parse_mschema(text) == parse_mschema(text)
