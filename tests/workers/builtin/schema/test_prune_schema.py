from __future__ import annotations

from quackllm.workers.builtin.schema.prune_schema import MAX_COLUMNS, MAX_TABLE_COLUMNS, prune_schema
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table

pytest_plugins = ["support.builtin_shop"]


def table(name: str, *columns: str, width: int = 10) -> Table:
    filler = tuple(Column(f"x{number}", "BIGINT") for number in range(width - len(columns) - 1))
    own = tuple(Column(column, "VARCHAR") for column in columns)
    return Table(name, (Column("id", "BIGINT", primary_key=True), *own, *filler))


def large() -> SchemaIndex:
    """Sixty tables that no question is about, and three with keys between them."""
    others = [table(f"thing_{number}") for number in range(60)]
    known = [table("singer", "stage_name"), table("part", "singer_id", "opera_id"), table("opera", "title")]
    keys = [ForeignKey("part", f"{name}_id", name, "id") for name in ("singer", "opera")]
    return SchemaIndex(Schema("large", (*others, *known), tuple(keys)))


def test_a_small_schema_stays_as_it_is(names: SchemaIndex) -> None:
    assert prune_schema(names, "anything", ()) is names.schema


def test_what_is_named_is_kept_with_what_ties_it() -> None:
    schema = prune_schema(large(), "Which singers sing in the opera Tosca?", ())
    kept = {table.name for table in schema.tables}
    assert {"singer", "part", "opera"} <= kept
    assert len(schema.foreign_keys) == 2
    assert sum(len(table.columns) for table in schema.tables) <= MAX_COLUMNS


def test_a_cell_keeps_its_table() -> None:
    names = large()
    cell = names.find_column("thing_57", "x3")
    assert cell is not None
    assert "thing_57" in {table.name for table in prune_schema(names, "Who?", [cell]).tables}


def test_a_wide_table_keeps_its_key_and_what_is_named() -> None:
    names = SchemaIndex(Schema("wide", (table("log", "level", "x299_note", width=400), table("user", "name"))))
    (log,) = [one for one in prune_schema(names, "Logs of which level and note?", ()).tables if one.name == "log"]
    assert len(log.columns) == MAX_TABLE_COLUMNS
    assert {"id", "level", "x299_note"} <= {column.name for column in log.columns}
