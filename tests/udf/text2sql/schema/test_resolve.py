import pytest
from quackllm.udf.text2sql.schema.resolve import resolve_schema
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table
from quackllm.workers.errors import SchemaError
from quackllm.workers.mschema import format_mschema

COLUMNS = (Column("id", "BIGINT"),)
CATALOG = Schema(
    "shop",
    (Table("orders", COLUMNS), Table("customers", COLUMNS), Table("old.orders", COLUMNS), Table("a,b.t", COLUMNS)),
    (ForeignKey("orders", "id", "customers", "id"),),
)


def names(text, catalog=CATALOG):
    return [table.name for table in resolve_schema(text, catalog).schema.tables]


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_nothing_said_means_the_catalog(text):
    assert resolve_schema(text, CATALOG).schema == CATALOG


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orders", ["orders"]),
        (" Orders , customers ", ["orders", "customers"]),
        ("shop.orders", ["orders"]),
        ("shop.main.orders", ["orders"]),
        ("shop", ["orders", "customers"]),
        ("old", ["old.orders"]),
        ("old.orders,orders", ["orders", "old.orders"]),
        ('"a,b".t', ["a,b.t"]),
        ("t", ["a,b.t"]),
    ],
)
def test_names_of_tables_and_databases(text, expected):
    assert names(text) == expected


def test_keys_between_chosen_tables_stay():
    assert resolve_schema("orders, customers", CATALOG).schema.foreign_keys == CATALOG.foreign_keys
    assert resolve_schema("orders", CATALOG).schema.foreign_keys == ()


def test_an_unknown_name_names_the_near_one():
    with pytest.raises(SchemaError, match="'ordres'") as caught:
        resolve_schema("ordres", CATALOG)
    assert "'orders'" in caught.value.hint


def test_an_empty_catalog_says_what_to_type():
    with pytest.raises(SchemaError) as caught:
        resolve_schema(None, Schema("memory"))
    assert "schema := 'CREATE TABLE" in caught.value.hint


def test_ddl_and_mschema_need_no_catalog():
    assert names("CREATE TABLE t (a INT)", Schema()) == ["t"]
    assert resolve_schema(format_mschema(CATALOG), Schema()).schema == CATALOG
    assert resolve_schema(format_mschema(CATALOG), Schema()).bindable
    assert not resolve_schema("# Table: t\n[\n(a),\n(b)\n]", Schema()).bindable


def test_ddl_of_which_nothing_can_be_read_names_the_place():
    with pytest.raises(SchemaError, match="line 2: no column of t can be read"):
        resolve_schema("-- the only one\nCREATE TABLE t FROM nothing", Schema())


def test_what_ddl_leaves_out_is_told_and_nothing_is_bound():
    found = resolve_schema("\nCREATE TABLE t (a INT);\nCREATE TABLE u LIKE unknown", Schema())
    assert found.left_out == (
        "line 3: u has the columns of unknown, which the text does not create",
        "line 3: no column of u can be read",
    )
    assert not found.bindable
