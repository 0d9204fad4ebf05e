"""Values as DuckDB itself writes them, as text and as JSON: what notebook, command line, gateway and prompts share.

Rows leave a connection as Arrow and are written by a DuckDB of our own. Python formats no value: it has no infinite
date, no year before Christ, no 24:00:00, and no month that is not thirty days.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import warnings
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

PROMPT_VALUE = "quackllm_prompt_value"
"""The macro that every prompt passes through."""
NOT_IN_ARROW = (
    "NULL::BIT", "NULL::TIMETZ", "NULL::UHUGEINT", "NULL::TIMESTAMPTZ", "NULL::TIMESTAMPTZ_NS", "NULL::GEOMETRY",
    "get_type(1)", "NULL::JSON[]",
)  # fmt: skip
"""Values of the types that a function would not get whole; TYPE it would not get at all. A LIST of JSON would be one of
VARCHAR, whose texts are written in quotes."""
PROMPT_VALUE_SQL = functools.reduce(
    lambda sql, type_name: f"replace_type({sql}, {type_name}, '')", NOT_IN_ARROW, "given"
)
"""They are made texts, however deep inside; what is given is named once, and other values are left alone."""
LOSSLESS = "arrow_lossless_conversion"
SETTINGS = f"SELECT current_setting('{LOSSLESS}'), current_setting('lock_configuration')"
TYPE_COLUMN = re.compile(r"(^|[ (])TYPE\b")
TYPE_AS_TEXT = "replace_type(COLUMNS(*), get_type(1), '')"
"""Values of the type TYPE leave DuckDB neither as Arrow nor as Python values."""
ZONE = re.compile(r"tz=([^\],]+)")
VARIANT = pa.struct([pa.field("metadata", pa.binary(), nullable=False), pa.field("value", pa.binary())])
VARIANT_METADATA = {"ARROW:extension:name": "arrow.parquet.variant"}
FIRST_OF_TUPLE = re.compile(r"STRUCT\(element1 ")
NEXT_OF_TUPLE = re.compile(r"(?<=, )element\d+ ")
LINE_NUMBER = re.compile(r"^LINE (\d+):", re.MULTILINE)
STRING_OR_NON_FINITE = re.compile(r'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)')


def run_query(connection: duckdb.DuckDBPyConnection, query: Any, values: Any = None) -> pa.Table | None:
    """Run a statement and return its last result, with nothing lost of any value; None where it has none.

    Args:
        connection: where it runs.
        query: SQL, or a statement that was extracted.
        values: of its parameters.

    Raises:
        QuackLLMError, duckdb.Error: what the connection raises.
    """
    # DuckDB means that con.sql() would save a copy; it would also run what is to be run once.
    warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
    with lossless_arrow(connection):
        connection.execute(query, values)
        if connection.description is None:
            return None
        if any(TYPE_COLUMN.search(str(column[1])) for column in connection.description):
            connection.complete()
            last = connection.extract_statements(getattr(query, "query", query))[-1].query.strip().rstrip(";")
            connection.execute(f"SELECT {TYPE_AS_TEXT} FROM ({last}\n)", values)
        return connection.to_arrow_table()


def run_select(connection: duckdb.DuckDBPyConnection, select: str, max_rows: int) -> pa.Table:
    """Return the first rows of one SELECT; an error quotes the SELECT as it was written, and nothing around it.

    Args:
        connection: where it runs.
        select: one statement, without a semicolon. DuckDB accepts no statement that writes as a subquery.
        max_rows: the most rows to return.

    Raises:
        QuackLLMError, duckdb.Error: what the connection raises.
    """
    try:
        table = run_query(connection, f"SELECT * FROM (\n{select}\n) LIMIT {max_rows}")
    except duckdb.Error as error:
        error.args = (LINE_NUMBER.sub(lambda line: f"LINE {int(line[1]) - 1}:", str(error)),)
        raise
    assert table is not None, "a SELECT has a result"
    return table


@contextlib.contextmanager
def lossless_arrow(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let DuckDB export HUGEINT, BIT, TIMETZ and the like to Arrow as themselves; the setting is the instance's."""
    with contextlib.closing(duckdb.DuckDBPyConnection.cursor(connection)) as cursor:
        ((is_lossless, is_locked),) = cursor.execute(SETTINGS).fetchall()
        if is_lossless or is_locked:  # Where it is locked, all that Arrow has a type for is still right.
            yield
            return
        cursor.execute(f"SET {LOSSLESS} = true").complete()
        try:
            yield
        finally:
            cursor.execute(f"SET {LOSSLESS} = false").complete()


def plain_arrow(table: pa.Table) -> pa.Table:
    """Return rows of `run_query` with the types that other libraries know: HUGEINT as DECIMAL, BIT as bytes."""
    lossless = [index for index, type_name in enumerate(table.schema.types) if "extension<" in str(type_name)]
    if not lossless:
        return table
    columns, fields = list(table.columns), list(table.schema)
    with written(table.select(lossless), "{}") as relation:
        converted = relation.to_arrow_table()
    for index, column, field in zip(lossless, converted.columns, converted.schema, strict=True):
        columns[index], fields[index] = column, field.with_name(fields[index].name)
    return pa.table(columns, schema=pa.schema(fields))


def text_rows(table: pa.Table) -> list[tuple[str | None, ...]]:
    """Return the rows with each value as its cast to VARCHAR; None is NULL."""
    with written(table, "CAST({} AS VARCHAR)") as relation:
        return relation.fetchall()


def json_rows(table: pa.Table) -> list[list[str]]:
    """Return the rows with each value as its `to_json`.

    Numbers keep all their digits, however many. NaN and Infinity, which DuckDB writes bare, are in quotes: JSON has no
    such numbers, and most readers would refuse the whole text.
    """
    with written(table, "CAST(to_json({}) AS VARCHAR)") as relation:
        return [["null" if cell is None else _finite(cell) for cell in row] for row in relation.fetchall()]


def json_objects(table: pa.Table) -> list[str]:
    """Return the rows as JSON objects; of two columns with one name the second gets a number behind it."""
    with contextlib.closing(_database(os.getpid()).cursor()) as cursor:
        names = [json.dumps(name, ensure_ascii=False) for name in cursor.from_arrow(table.slice(0, 0)).columns]
    pairs = (zip(names, row, strict=True) for row in json_rows(table))
    return ["{" + ",".join(f"{name}:{cell}" for name, cell in row) + "}" for row in pairs]


def column_texts(column: pa.ChunkedArray) -> list[str | None]:
    """Return a column's values as their casts to VARCHAR."""
    return list(cast_column(column, "VARCHAR").to_pylist())


def cast_column(column: pa.ChunkedArray, type_name: str) -> pa.ChunkedArray:
    """Return a column of another type, given by its SQL name."""
    field = pa.field("c", column.type, metadata=VARIANT_METADATA if column.type == VARIANT else None)
    with written(pa.table([column], schema=pa.schema([field])), f"CAST({{}} AS {type_name})") as relation:
        return relation.to_arrow_table().column(0)


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with types that other libraries know, see `plain_arrow`."""
    return plain_arrow(pa.table([column], names=["c"])).column(0)


@contextlib.contextmanager
def written(table: pa.Table, function: str = "{}") -> Iterator[duckdb.DuckDBPyRelation]:
    """Yield the rows as a relation, which DuckDB draws, each value with a function around it."""
    with contextlib.closing(_database(os.getpid()).cursor()) as cursor:
        yield cursor.sql(_select(cursor, table, function))


def _select(cursor: duckdb.DuckDBPyConnection, table: pa.Table, function: str) -> str:
    """Return the SELECT that writes every column, by numbers: two columns of a result may have one name."""
    if zone := ZONE.search(" ".join(map(str, table.schema.types))):
        cursor.execute(f"SET TimeZone = '{zone[1]}'").complete()
    columns = [_without_enums(column) for column in table.columns]
    fields = [
        field.with_type(column.type).with_name(f"c{index}")
        for index, (field, column) in enumerate(zip(table.schema, columns, strict=True))
    ]
    cursor.register("numbered", pa.table(columns, schema=pa.schema(fields)))
    types = [str(column[1]) for column in cursor.execute("FROM numbered LIMIT 0").description or ()]
    cursor.complete()
    selected = [
        f"""{function.format(_typed(cursor, f"c{index}", type_name))} AS "{name.replace('"', '""')}" """
        for index, (name, type_name) in enumerate(zip(table.column_names, types, strict=True))
    ]
    return f"SELECT {', '.join(selected)} FROM numbered"


def _without_enums(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with texts for its ENUMs inside: DuckDB reads the codes of those that are deep in it."""
    if "dictionary<" not in str(column.type) or pa.types.is_dictionary(column.type):
        return column
    return pa.chunked_array([_decoded(chunk) for chunk in column.chunks], _decoded(pa.nulls(0, column.type)).type)


def _decoded(array: pa.Array) -> pa.Array:
    """Return an array with texts in place of dictionaries, at any depth; Arrow's own cast knows no UNION."""
    data_type = array.type
    if pa.types.is_dictionary(data_type):
        return array.dictionary_decode()
    if "dictionary<" not in str(data_type):
        return array
    if pa.types.is_struct(data_type):
        children = [_decoded(array.field(place)) for place in range(data_type.num_fields)]
        fields = [field.with_type(child.type) for field, child in zip(data_type, children, strict=True)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())
    if pa.types.is_union(data_type):
        fields = [data_type.field(place) for place in range(data_type.num_fields)]
        children = [_decoded(array.field(place)) for place in range(data_type.num_fields)]
        return pa.UnionArray.from_sparse(array.type_codes, children, [f.name for f in fields], data_type.type_codes)
    if pa.types.is_fixed_size_list(data_type):
        size = data_type.list_size
        values = _decoded(array.values.slice(array.offset * size, len(array) * size))
        return pa.FixedSizeListArray.from_arrays(values, size, mask=array.is_null())
    # A slice's offsets begin in the middle of a buffer, and Arrow takes no nulls beside such.
    offsets = pa.array(array.offsets.to_numpy(zero_copy_only=False))
    if pa.types.is_map(data_type):
        return pa.MapArray.from_arrays(offsets, _decoded(array.keys), _decoded(array.items), mask=array.is_null())
    return pa.ListArray.from_arrays(offsets, _decoded(array.values), mask=array.is_null())


def _typed(cursor: duckdb.DuckDBPyConnection, column: str, type_name: str) -> str:
    """Return a column, as a TUPLE where it was one: Arrow has but the names that DuckDB gives to its elements."""
    named = NEXT_OF_TUPLE.sub("", FIRST_OF_TUPLE.sub("TUPLE(", type_name))
    if named == type_name:
        return column
    try:
        cursor.execute(f"SELECT CAST(NULL AS {named})").complete()
    except duckdb.Error:  # A STRUCT that has an `element1` of its own.
        return column
    return f"CAST({column} AS {named})"


def _finite(text: str) -> str:
    if "NaN" not in text and "Infinity" not in text:
        return text
    return STRING_OR_NON_FINITE.sub(lambda found: found[0] if found[0][0] == '"' else f'"{found[0]}"', text)


@functools.cache
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    """Return the DuckDB that writes. One a process: a fork must not wait for a lock that its parent's thread held."""
    database = duckdb.connect(config={"threads": 1, "enable_external_access": False})
    database.execute("SET python_enable_replacements = false").complete()
    return database
