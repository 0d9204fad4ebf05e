"""The SQL types that a user names: checked, held against values, and put as a JSON schema."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from decimal import Decimal, InvalidOperation
from typing import Any

import duckdb

from ...workers.errors import RequestError
from ...workers.sql_text import quote_literal

Structure = str | list["Structure"] | dict[str, "Structure"]
"""A type as DuckDB's `json_transform` takes it: `'INTEGER'`, `['VARCHAR']`, `{'name': 'VARCHAR'}`."""
EXAMPLE = "{'name': 'VARCHAR', 'age': 'INTEGER', 'tags': ['VARCHAR']}"
INTEGER_TYPES = {
    **{"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64, "hugeint": 128},
    **{"utinyint": 8, "usmallint": 16, "uinteger": 32, "ubigint": 64, "uhugeint": 128},
}
NESTED = frozenset({"list", "array", "struct", "map"})
FRACTIONS = frozenset({"float", "double", "decimal"})
FLOAT_LIKE = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]+")
LARGEST_FLOAT, LARGEST_DOUBLE = 3.4028234663852886e38, sys.float_info.max


def check_structure(structure: Any, name: str) -> Structure:
    """Return the structure if DuckDB knows every type in it.

    Args:
        structure: what the user wrote, read from JSON.
        name: whose type it is, for the error.

    Raises:
        RequestError: it is none; the hint says what to type.
    """
    if isinstance(structure, str):
        _sql_type(structure, name)
    elif isinstance(structure, list) and len(structure) == 1:
        check_structure(structure[0], name)
    elif isinstance(structure, dict) and structure:
        for key, inner in structure.items():
            if not key:
                raise RequestError(f"a field of {name} has no name", hint=f"type fields like {EXAMPLE}")
            check_structure(inner, f"{name}.{key}")
    else:
        raise RequestError(f"the type of {name} cannot be read: {structure!r}", hint=f"type fields like {EXAMPLE}")
    return structure  # type: ignore[no-any-return]


def _sql_type(text: str, name: str) -> Any:
    try:
        _check_readable(text)
        return _parse_type(text)
    except duckdb.Error as error:
        message = str(error).partition("\n")[0]
        raise RequestError(
            f"the type of {name} is {text!r}, which an answer cannot have: {message}",
            hint="type a SQL type: 'VARCHAR', 'INTEGER', 'DOUBLE', 'BOOLEAN', 'DATE', 'VARCHAR[]', …",
        ) from None


@functools.lru_cache(maxsize=1024)
def _parse_type(text: str) -> Any:
    return _database(os.getpid()).type(text)


@functools.lru_cache(maxsize=1024)
def _check_readable(text: str) -> None:
    """Let DuckDB make a value of the type from JSON: it does not know every type, and can make BIT from a text only."""
    _parse_type(text)
    with _database(os.getpid()).cursor() as cursor:
        cursor.execute(f"SELECT json_transform('[null]', {quote_literal(json.dumps([text], ensure_ascii=False))})")


@functools.cache
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB of our own. One a process: a fork must not wait for a lock that its parent's thread held."""
    return duckdb.connect(config={"threads": 1, "enable_external_access": False})


def fits(structure: Structure, value: Any) -> bool:
    """Whether DuckDB casts a JSON value to the type with nothing lost of it; null fits every type."""
    if value is None:
        return True
    if isinstance(structure, list):
        return isinstance(value, list) and all(fits(structure[0], item) for item in value)
    if isinstance(structure, dict):
        return isinstance(value, dict) and all(fits(inner, value.get(key)) for key, inner in structure.items())
    sql_type = _parse_type(structure)
    if not _is_exact(sql_type, value):
        return False
    # What most values are; DuckDB would take a thousand times as long.
    is_whole = isinstance(value, int) and sql_type.id in INTEGER_TYPES
    if is_whole or (isinstance(value, float) and sql_type.id == "double"):
        return True
    if isinstance(value, str) and sql_type.id == "varchar":
        return True
    return _casts(structure, json.dumps(value, ensure_ascii=False))


def _is_exact(sql_type: Any, value: Any) -> bool:
    """Whether no number in a value is one that DuckDB would round, or cast to infinity or to a BOOLEAN."""
    type_id = sql_type.id
    inner = dict(sql_type.children) if type_id in NESTED else {}
    if isinstance(value, list):
        return type_id not in ("list", "array") or all(_is_exact(inner["child"], item) for item in value)
    if isinstance(value, dict):
        types = dict.fromkeys(value, inner["value"]) if type_id == "map" else inner
        return all(_is_exact(types[name], item) for name, item in value.items() if name in types)
    if isinstance(value, bool):
        return type_id in ("boolean", "varchar")
    if type_id == "boolean":
        return not isinstance(value, int | float)
    if type_id in INTEGER_TYPES or type_id in FRACTIONS:
        number = _number(value)
        return number is None or _holds(sql_type, number)
    return True


def _number(value: Any) -> Decimal | None:
    text = str(value).strip()
    try:
        return Decimal(text)
    except (
        InvalidOperation
    ):  # No number; or one whose exponent is out of Decimal's range, which is infinite as a float.
        return Decimal("Infinity") if FLOAT_LIKE.fullmatch(text) else None


def _holds(sql_type: Any, number: Decimal) -> bool:
    """Whether a type of numbers has this one: a whole number in its range, a decimal with no more places, no NaN."""
    type_id = sql_type.id
    if not number.is_finite():
        return False
    if type_id in INTEGER_TYPES:
        bits = INTEGER_TYPES[type_id]
        low, high = (0, 1 << bits) if type_id.startswith("u") else (-1 << bits - 1, 1 << bits - 1)
        return low <= number < high and _decimal_places(number) <= 0
    if type_id == "decimal":
        return _decimal_places(number) <= int(dict(sql_type.children)["scale"])
    return number.copy_abs() <= (LARGEST_FLOAT if type_id == "float" else LARGEST_DOUBLE)


def _decimal_places(number: Decimal) -> int:
    """Return how many places behind the point a finite number needs; Decimal's own arithmetic would round it."""
    _, digits, exponent = number.as_tuple()
    written = "".join(map(str, digits))
    return 0 if not number else len(written.rstrip("0")) - len(written) - int(exponent)


@functools.lru_cache(maxsize=65_536)
def _casts(structure: str, value: str) -> bool:
    written = json.dumps([structure], ensure_ascii=False).replace("'", "''")
    with _database(os.getpid()).cursor() as cursor:
        try:
            cursor.execute(
                f"SELECT json_transform_strict($1::VARCHAR, '{written}')::VARCHAR", [f"[{value}]"]
            ).fetchall()
        except duckdb.Error:
            return False
    return True


def without_extra_keys(structure: Structure, value: Any) -> Any:
    """Return a value with the keys of its type, each once; what is missing is null."""
    if isinstance(structure, list) and isinstance(value, list):
        return [without_extra_keys(structure[0], item) for item in value]
    if isinstance(structure, dict) and isinstance(value, dict):
        return {key: without_extra_keys(inner, value.get(key)) for key, inner in structure.items()}
    return value


def json_schema(structure: Structure) -> dict[str, Any]:
    """Return the type's JSON schema: every value may be null; objects are closed, as OpenAI's strict mode requires."""
    if isinstance(structure, list):
        return {"type": ["array", "null"], "items": json_schema(structure[0])}
    if isinstance(structure, dict):
        return closed_object({key: json_schema(inner) for key, inner in structure.items()}, null=True)
    return _type_schema(_parse_type(structure))


def closed_object(properties: dict[str, Any], *, null: bool = False) -> dict[str, Any]:
    """Return the schema of an object with exactly these properties."""
    json_type: Any = ["object", "null"] if null else "object"
    return {"type": json_type, "properties": properties, "required": list(properties), "additionalProperties": False}


def _type_schema(sql_type: Any) -> dict[str, Any]:
    if sql_type.id in ("list", "array"):
        return {"type": ["array", "null"], "items": _type_schema(dict(sql_type.children)["child"])}
    if sql_type.id == "struct":
        return closed_object({name: _type_schema(inner) for name, inner in sql_type.children}, null=True)
    if sql_type.id == "enum":
        return {"enum": [*dict(sql_type.children)["values"], None]}
    if sql_type.id == "boolean":
        return {"type": ["boolean", "null"]}
    number = "integer" if sql_type.id in INTEGER_TYPES else "number" if sql_type.id in FRACTIONS else "string"
    return {"type": [number, "null"]}


def enum_type(labels: tuple[str, ...]) -> str:
    """Return the SQL of the ENUM of these labels."""
    return "ENUM(" + ", ".join(map(quote_literal, labels)) + ")"
