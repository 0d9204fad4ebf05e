"""The guard: generated SQL may read the tables of its schema, in one SELECT, and do nothing else."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

import duckdb

from ....workers.database_schema import Schema, split_name
from ....workers.errors import GuardError, did_you_mean
from .allowlist import (
    EXPRESSIONS,
    FILE_LIKE,
    FILE_PATH,
    NODES,
    SESSION_NAMES,
    SESSION_WORDS,
    SYSTEM_SCHEMAS,
    SYSTEM_TABLE,
    TABLE_FUNCTIONS,
    is_allowed,
    system_views,
)
from .pivot import with_values
from .sql_tree import Scope, Tree, nodes, serialize

HINT = "text2sql runs one SELECT over the tables of its schema"


def check_sql(
    sql: str, schema: Schema | None = None, *, strict: bool = False, functions: Collection[str] = frozenset()
) -> str:
    """Return the single SELECT of a text, without comments and semicolons; exactly the returned SQL was checked.

    Args:
        sql: the model's SQL.
        schema: its tables may be read whatever their name is, e.g. one named like a file.
        strict: refuse every table that is not in the schema. If a schema can be bound, binding does this better.
        functions: names of functions that it may call besides DuckDB's own.

    Raises:
        GuardError: it is not a single SELECT, or uses something that is not allowed.
    """
    return checked_statement(sql, schema, strict=strict, functions=functions)[0]


def checked_statement(
    sql: str, schema: Schema | None = None, *, strict: bool = False, functions: Collection[str] = frozenset()
) -> tuple[str, Tree]:
    """Return the single SELECT of a text, as `check_sql` does, and DuckDB's own tree of it."""
    sql = _single_statement(sql)
    tree = parse_tree(sql)
    tables = table_paths(schema) if schema else {}
    schemas = {part for path in tables for part in path[:-1]} | SYSTEM_SCHEMAS | {"main", "temp"}
    for node, scope in nodes(tree):
        _check_node_type(node)
        if node.get("type") == "TABLE_FUNCTION":
            _check_table_function(node["function"])
        if node.get("function_name"):
            _check_function(node, functions, schemas)
        if node.get("class") == "COLUMN_REF":
            _check_column(node, tree, schema)
        if node.get("type") == "BASE_TABLE":
            _check_table(node, scope, tables, strict)
        if node.get("type") == "SHOW_REF":
            _check_show(node)
    return sql, tree


def _refuse(what: str, hint: str = HINT) -> GuardError:
    return GuardError(f"the generated SQL may not run: {what}", hint=hint)


def _single_statement(sql: str) -> str:
    """Return the statement with a space for each comment, and with its lines, which errors quote.

    DuckDB's own tokenizer finds the comments.
    """
    text = sql.encode()
    tokens = [*duckdb.tokenize(sql), (len(text), duckdb.token_type.comment)]
    statements = [b""]
    for (start, token_type), (end, _) in pairwise(tokens):
        token = text[start:end]
        if token_type == duckdb.token_type.comment:
            comment = token.rstrip()
            statements[-1] += b" " + b"\n" * comment.count(b"\n") + token[len(comment) :]
        elif token.strip() == b";":
            statements.append(b"")
        else:
            statements[-1] += token
    found = [statement.decode().strip() for statement in statements if statement.strip()]
    if len(found) != 1:
        raise _refuse(f"it holds {len(found) or 'no'} statements")
    return found[0]


def parse_tree(sql: str) -> Tree:
    """Return DuckDB's own tree of the single SELECT.

    Raises:
        GuardError: it is not a SELECT, or nested too deeply.
    """
    try:
        tree = serialize(sql)
        if tree["error"] and tree["error_type"] != "parser" and (pivot := with_values(sql)):
            tree = serialize(pivot)
    except (RecursionError, duckdb.Error) as error:
        raise _refuse("it cannot be parsed; it may be nested too deeply") from error
    if tree["error"] and tree["error_type"] == "parser":
        raise _refuse(f"DuckDB cannot read it: {tree['error_message']}")
    if tree["error"]:
        raise _refuse(f"it is not a SELECT: {sql.split()[0].upper()}")
    if len(tree["statements"]) != 1:
        raise _refuse(f"it holds {len(tree['statements'])} statements")
    statement: Tree = tree["statements"][0]
    return statement


def _check_node_type(node: Tree) -> None:
    node_type = node.get("class", node.get("type"))
    if isinstance(node_type, str) and node_type not in (EXPRESSIONS if "class" in node else NODES):
        raise _refuse(f"{node_type.removesuffix('_NODE').replace('_', ' ')} is not allowed")
    if node.get("at_clause") is not None:
        raise _refuse("AT is not allowed")
    if node.get("named_param_map"):
        raise _refuse("PARAMETER is not allowed")


def _check_function(node: Tree, functions: Collection[str], schemas: Collection[str]) -> None:
    name = node["function_name"].lower()
    # In `column.lower()` the column is where a schema name would be: if no schema has that name, it is a column.
    schema = str(node.get("schema") or "").lower()
    if node.get("catalog") or (schema and schema in schemas):
        raise _refuse(f"the function {name} is called through a schema", hint=f"write {name}(…)")
    if not is_allowed(name) and name not in functions:
        raise _refuse(f"the function {name} is not allowed")


def _check_column(node: Tree, tree: Tree, schema: Schema | None) -> None:
    """Refuse a word that is a function where no column has its name; which columns there are, the schema says."""
    name = node["column_names"][-1].lower()
    if len(node["column_names"]) > 1 or name not in SESSION_WORDS | SESSION_NAMES:
        return
    tables = schema.tables if schema else ()
    if any(column.name.lower() == name for table in tables for column in table.columns):
        return
    if name in SESSION_WORDS or (schema and name not in _own_names(tree)):
        raise _refuse(f"{name} is not a column of the schema")


def _own_names(tree: Tree) -> set[str]:
    """Return the names that a query gives to columns."""
    found = {str(node.get("alias", "")) for node, _ in nodes(tree)}
    lists = ("column_name_alias", "aliases")  # Of a table, and of a query in WITH.
    found |= {str(name) for node, _ in nodes(tree) for part in lists for name in node.get(part) or ()}
    return {name.lower() for name in found}


def _check_show(node: Tree) -> None:
    if node.get("show_type") not in ("DESCRIBE", "SUMMARY") or node.get("query") is None:
        raise _refuse(f"{node.get('show_type', 'SHOW').replace('_', ' ')} is not allowed")


def _check_table_function(function: Tree) -> None:
    name = str(function.get("function_name", "")).lower()
    if name not in TABLE_FUNCTIONS:
        raise _refuse(f"the table function {name or function.get('type')} is not allowed")


def table_paths(schema: Schema) -> dict[tuple[str, ...], str]:
    """Return every way to write each table of the schema."""
    paths = {}
    for table in schema.tables:
        own = tuple(part.lower() for part in split_name(table.name))
        base = schema.name.lower()
        for path in (own, ("main", *own), (base, *own), (base, "main", *own), (own[0], "main", *own[1:])):
            paths[path] = table.name
    return paths


def _check_table(node: Tree, scope: Scope, tables: dict[tuple[str, ...], str], strict: bool) -> None:
    given = (node["catalog_name"], node["schema_name"], node["table_name"])
    path = tuple(part.lower() for part in given if part)
    if path in tables or (len(path) == 1 and path[0] in scope and not FILE_PATH.fullmatch(path[0])):
        return
    name = ".".join(part for part in given if part)
    is_view = len(path) == 1 and path[0] in system_views()
    if any(part in SYSTEM_SCHEMAS for part in path[:-1]) or is_view or SYSTEM_TABLE.fullmatch(path[-1]):
        raise _refuse(f"{name} is a system table")
    if FILE_LIKE.fullmatch(name):
        raise _refuse(f"{name} is not a table of the schema; files and addresses are not read")
    if strict:
        raise _refuse(f"{name} is not a table of the schema", hint=did_you_mean(name, set(tables.values())))
