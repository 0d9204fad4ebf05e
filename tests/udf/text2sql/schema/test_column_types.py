"""Types of any database under DuckDB's names: DuckDB has every one of them, and what is not known stays."""

from __future__ import annotations

import duckdb
import pytest
from quackllm.udf.text2sql.schema.column_types import DUCKDB_NAME, read_type

TYPES = {
    "int(11) unsigned zerofill": "UINTEGER",
    "NUMBER(*,2)": "DECIMAL(38,2)",
    "decimal(65,30)": "DECIMAL(38,30)",
    "Int8": "TINYINT",
    "int8": "BIGINT",
    "LowCardinality(Nullable(FixedString(8)))": "VARCHAR",
    "array<struct<name:string,tags:map<string,array<int>>>>": "STRUCT(name VARCHAR, tags MAP(VARCHAR, INTEGER[]))[]",
    "ROW(a bigint, b array(varchar))": "STRUCT(a BIGINT, b VARCHAR[])",
    "STRUCT<`first name` STRING>": 'STRUCT("first name" VARCHAR)',
    "Enum8('a' = 1, 'it''s' = 2)": "ENUM('a', 'it''s')",
    "timestamp(3) with local time zone": "TIMESTAMP WITH TIME ZONE",
    "INTERVAL DAY(2) TO SECOND(6)": "INTERVAL",
    "national character varying(10)": "VARCHAR",
    "CHAR(10) FOR BIT DATA": "BLOB",
    "integer ARRAY[4]": "INTEGER[]",
    "[nvarchar](max)": "VARCHAR",
    "bit": "BOOLEAN",
    "bit(8)": "BIT",
    "vector(1536)": "FLOAT[1536]",
    "dbo.phone": "DBO.PHONE",
    "PERIOD(DATE)": "PERIOD(DATE)",
    "": "",
}


@pytest.mark.parametrize(("written", "expected"), TYPES.items())
def test_types_of_any_database(written: str, expected: str) -> None:
    assert read_type(written) == expected


@pytest.mark.parametrize("kind", sorted(set(DUCKDB_NAME.values())))
def test_duckdb_has_every_type_that_the_table_names(kind: str) -> None:
    duckdb.connect().execute(f"SELECT NULL::{kind}")
