"""A value, and the hard ones, of every type that DuckDB has, as SQL."""

from __future__ import annotations

VALUES: dict[str, tuple[str, ...]] = {
    "BOOLEAN": ("true",),
    "TINYINT": ("(-128)::TINYINT",),
    "SMALLINT": ("(-32768)::SMALLINT",),
    "INTEGER": ("42",),
    "BIGINT": ("9223372036854775807::BIGINT",),
    "HUGEINT": ("170141183460469231731687303715884105727::HUGEINT", "-5::HUGEINT"),
    "UTINYINT": ("255::UTINYINT",),
    "USMALLINT": ("65535::USMALLINT",),
    "UINTEGER": ("4294967295::UINTEGER",),
    "UBIGINT": ("18446744073709551615::UBIGINT",),
    "UHUGEINT": ("'340282366920938463463374607431768211455'::UHUGEINT",),
    "BIGNUM": ("'-123456789012345678901234567890123456789012345678901234567890'::BIGNUM",),
    "DECIMAL": ("12345678901234567890.12::DECIMAL(38,2)", "(-0.00)::DECIMAL(4,2)", "1.23::DECIMAL(38,20)"),
    "FLOAT": ("0.1::FLOAT", "'-inf'::FLOAT"),
    "DOUBLE": ("0.30000000000000004::DOUBLE", "1e300::DOUBLE", "'nan'::DOUBLE", "'inf'::DOUBLE", "(-0.0)::DOUBLE"),
    "VARCHAR": ("'It''s \"one\"\n<b>二</b>, NaN'", "''"),
    "BLOB": (r"'\x00\xFFa'::BLOB",),
    "BIT": ("'0101'::BIT", "'1'::BIT"),
    "UUID": ("'718781c7-a473-49a1-be80-83e5a4be8e43'::UUID",),
    "DATE": ("DATE '2024-02-29'", "DATE 'infinity'", "DATE '-infinity'", "DATE '0044-03-15 (BC)'"),
    "TIME": ("TIME '24:00:00'", "TIME '01:02:03.000004'"),
    "TIME_NS": ("'12:00:00.123456789'::TIME_NS",),
    "TIME WITH TIME ZONE": ("'12:00:00+02'::TIMETZ", "'24:00:00-15:59:59'::TIMETZ"),
    "TIMESTAMP": ("TIMESTAMP '0044-03-15 (BC) 01:02:03'", "TIMESTAMP 'infinity'", "TIMESTAMP '290000-01-01 00:00:00'"),
    "TIMESTAMP_S": ("'2024-01-01 00:00:00'::TIMESTAMP_S", "'infinity'::TIMESTAMP_S"),
    "TIMESTAMP_MS": ("'2024-01-01 00:00:00.123'::TIMESTAMP_MS",),
    "TIMESTAMP_NS": ("'2024-01-01 00:00:00.123456789'::TIMESTAMP_NS",),
    "TIMESTAMP WITH TIME ZONE": ("TIMESTAMPTZ '2024-01-01 00:00:00+00'", "TIMESTAMPTZ '-infinity'"),
    "TIMESTAMPTZ_NS": ("'2024-01-01 00:00:00.123456789+00'::TIMESTAMPTZ_NS",),
    "INTERVAL": ("INTERVAL 1 MONTH", "INTERVAL '-1 year 3 days 04:05:06.789'"),
    "ENUM": ("'b a'::ENUM('b a', 'c')",),
    "LIST": ("[1, NULL]", "[]", "[[DATE 'infinity'], NULL]"),
    "ARRAY": ("[1, NULL]::INTEGER[2]",),
    "STRUCT": ("{'a': 1, 'b b': NULL, 'c': ['x', 'y, z']}",),
    "TUPLE": ("row(1, 'a')", "row(NULL)"),
    "MAP": ("MAP {'a': [1, NULL], 'b': NULL}", "MAP {DATE '2024-01-01': 1}", "MAP {}"),
    "UNION": ("union_value(number := 1)", "'x'::UNION(number INTEGER, word VARCHAR)"),
    "VARIANT": ("1::VARIANT", "{'a': [1, 2], 'b': 'x'}::VARIANT", "DATE '2024-01-01'::VARIANT"),
    "GEOMETRY": ("'POINT(1 2)'::GEOMETRY",),
    "TYPE": ("get_type(1)", "get_type({'a': [1]})"),
    "NULL": ("NULL",),
}
"""By the name that `duckdb_types()` gives to the type."""
EXAMPLES = [value for values in VALUES.values() for value in values]
ZONE = "SET TimeZone = 'Asia/Tokyo'"
"""A zone that is not the machine's, for what is shown in the session's."""


def nested(value: str) -> list[str]:
    """Return a value by itself, beside a NULL in a LIST, and in a STRUCT in a LIST."""
    return [value, f"[{value}, NULL]", f"[{{'inside': {value}, 'other': NULL}}]"]


ALL = [form for value in EXAMPLES for form in nested(value)]
SELECT_ALL = "SELECT " + ", ".join(f"{value} AS c{place}" for place, value in enumerate(ALL))
SELECT_TEXTS = f"SELECT COLUMNS(*)::VARCHAR FROM ({SELECT_ALL})"
SELECT_JSON = f"SELECT to_json(COLUMNS(*))::VARCHAR FROM ({SELECT_ALL})"
