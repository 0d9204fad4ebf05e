"""What a generated SELECT may be made of: everything else is refused, so that what is new in DuckDB is refused too."""

from __future__ import annotations

import re
from functools import lru_cache

from .sandbox import ask

EXPRESSIONS = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "LAMBDA_REF",
        "OPERATOR",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    }
)
"""Classes of expressions in DuckDB's serialized tree; no PARAMETER, no DEFAULT."""

NODES = frozenset(
    {
        # queries; no INSERT_QUERY_NODE and the like, which WITH may hold
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        "RECURSIVE_CTE_NODE",
        # what stands in FROM; no SHOW_REF (DESCRIBE, SHOW, SUMMARIZE)
        "BASE_TABLE",
        "EMPTY",
        "EXPRESSION_LIST",
        "JOIN",
        "PIVOT",
        "SUBQUERY",
        "TABLE_FUNCTION",
        # modifiers and orders
        "ORDER_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "DISTINCT_MODIFIER",
        "ASCENDING",
        "DESCENDING",
        "ORDER_DEFAULT",
    }
)
"""Kinds of everything else in the tree."""

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree", "generate_subscripts"})
"""Functions that may stand in FROM: they make rows of their arguments alone."""

REFUSED_FUNCTIONS = re.compile(
    r"""__.*                                         # DuckDB's own machinery
      | pg_.* | has_.* | inet_.* | .*_description | in_search_path | get_block_size | format_(pg_)?type | map_to_pg_oid
      | current_(catalog|connection_id|database|query|query_id|role|schemas?|setting|transaction_id|user)
      | session_user | user | version | txid_current | getvariable      # the session and its settings
      | nextval | currval | setval | setseed | write_log | sleep_ms     # what has effects, or waits
      | error | assert_true | stats | vector_type | parse_duckdb_log_message
      | json_serialize_.* | json_deserialize_sql                        # plan SQL given as text, files and all
      | to_aggregate_state | finalize | combine | combine_aggr | variant_to_parquet_variant | remap_struct
    """,
    re.VERBOSE,
)

SIZED_FUNCTIONS = frozenset(
    {"repeat", "lpad", "rpad", "bar", "range", "generate_series", "list_resize", "array_resize"}
)
"""Functions whose argument says how much to make: DuckDB makes it while it plans, whatever the memory limit."""

LARGEST_SIZE = 1_000_000
MULTIPLYING = frozenset({"*", "**", "^", "pow", "power", "factorial", "exp", "<<", "!__postfix"})

SYSTEM_SCHEMAS = frozenset({"information_schema", "pg_catalog", "system"})
SYSTEM_TABLE = re.compile(r"(duckdb|pragma|sqlite|pg|information_schema)_.*", re.IGNORECASE)
FILE_LIKE = re.compile(
    r".*[/\\:*?].*|.*\.(csv|tsv|txt|parquet|json|jsonl|ndjson|geojson|xlsx?|arrow|feather|ipc|avro|orc|db|ddb|duckdb|sqlite3?"
    r"|gz|zst|zip|bz2|log|sql|lance|vortex)",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1)
def allowed_functions() -> frozenset[str]:
    """Return the names of DuckDB's own functions that a generated SELECT may call; none of an extension or of ours."""
    kinds = "('scalar', 'aggregate', 'window', 'macro')"
    rows = ask(f"SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN {kinds}")
    names = {str(name) for (name,) in rows}
    return frozenset({name for name in names if not REFUSED_FUNCTIONS.fullmatch(name)} | TABLE_FUNCTIONS)
