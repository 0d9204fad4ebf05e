"""A SQLAlchemy dialect: `create_engine("quackllm:///shop.duckdb?model=qianwen_chat")`.

It is duckdb_engine's, with our functions on each connection. What duckdb_engine 0.17 reads through PostgreSQL's
catalog fails on DuckDB 2.0 and SQLAlchemy 2.1 (`pg_collation` is not there), so tables, columns, keys and comments are
read from DuckDB's own catalog functions. SQLAlchemy 1.4, which Superset needs, will do.
"""

from __future__ import annotations

from typing import Any

import duckdb
from duckdb_engine import ConnectionWrapper
from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy import String, text, types
from sqlalchemy.engine import Connection
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import NoSuchTableError

from .udf.connection import register

CONNECT_OPTIONS = ("model", "cluster")
Double = getattr(types, "Double", types.Float)  # SQLAlchemy 1.4 has neither.
Uuid = getattr(types, "Uuid", String)
# By DuckDB's name of a type, without what stands in brackets behind it.
TYPES: dict[str, type[types.TypeEngine[Any]]] = {
    **{"BOOLEAN": types.Boolean, "TINYINT": types.SmallInteger, "SMALLINT": types.SmallInteger},
    **{
        "UTINYINT": types.SmallInteger,
        "USMALLINT": types.Integer,
        "INTEGER": types.Integer,
        "UINTEGER": types.BigInteger,
    },
    **{"BIGINT": types.BigInteger, "UBIGINT": types.BigInteger, "HUGEINT": types.Numeric, "UHUGEINT": types.Numeric},
    **{"FLOAT": types.Float, "DOUBLE": Double, "DECIMAL": types.Numeric, "VARCHAR": types.String},
    **{"BLOB": types.LargeBinary, "UUID": Uuid, "JSON": types.JSON, "DATE": types.Date, "TIME": types.Time},
    **{"TIMESTAMP": types.DateTime, "TIMESTAMP_S": types.DateTime, "TIMESTAMP_MS": types.DateTime},
    **{"TIMESTAMP_NS": types.DateTime, "TIMESTAMP WITH TIME ZONE": types.DateTime, "INTERVAL": types.Interval},
}
PLACE = "database_name = coalesce(:database, current_database()) AND schema_name = coalesce(:schema, current_schema())"


class Dialect(DuckDBDialect):  # type: ignore[misc]
    """What `quackllm://` names."""

    name = "quackllm"
    supports_statement_cache = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Open a database with our functions; `model` and `cluster` of the URL are those of `quackllm.connect`."""
        settings = {**options.pop("config", {}), **options.pop("url_config", {})}
        ours = {name: settings.pop(name, None) for name in CONNECT_OPTIONS}
        read_only = str(settings.pop("read_only", options.pop("read_only", False))).lower() == "true"
        given: dict[str, Any] = {**options, "config": settings, "read_only": read_only}
        connection = duckdb.connect(*arguments, **given)
        return ConnectionWrapper(register(connection, **ours))

    def get_table_names(self, connection: Connection, schema: str | None = None, **_: Any) -> list[str]:
        """Return the tables of a schema, of the current one by default."""
        return [row.name for row in self._read(connection, schema, "table_name AS name", "duckdb_tables()")]

    def get_view_names(self, connection: Connection, schema: str | None = None, **_: Any) -> list[str]:
        """Return the views of a schema."""
        found = self._read(connection, schema, "view_name AS name", "duckdb_views()", "NOT internal")
        return [row.name for row in found]

    def get_temp_table_names(self, connection: Connection, **_: Any) -> list[str]:
        """Return the tables of the connection alone."""
        return [row.name for row in self._read(connection, "temp.main", "table_name AS name", "duckdb_tables()")]

    def has_table(self, connection: Connection, table_name: str, schema: str | None = None, **_: Any) -> bool:
        """Whether there is a table or a view of that name."""
        return bool(self._columns(connection, table_name, schema))

    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[dict[str, Any]]:
        """Return the columns of a table or view.

        Raises:
            NoSuchTableError: there is none of that name.
        """
        found = self._columns(connection, table_name, schema)
        if not found:
            raise NoSuchTableError(table_name)
        return [
            {
                **{"name": row.column_name, "type": _read_type(row.data_type), "nullable": row.is_nullable},
                **{"default": row.column_default, "comment": row.comment, "autoincrement": False},
            }
            for row in found
        ]

    def get_pk_constraint(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> dict[str, Any]:
        """Return the primary key."""
        found = self._constraints(connection, table_name, schema, "PRIMARY KEY")
        return {"constrained_columns": list(found[0].columns) if found else [], "name": None}

    def get_foreign_keys(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[dict[str, Any]]:
        """Return the foreign keys."""
        return [
            {
                **{"name": None, "constrained_columns": list(row.columns), "referred_schema": schema},
                **{"referred_table": row.referenced_table, "referred_columns": list(row.referenced_columns)},
            }
            for row in self._constraints(connection, table_name, schema, "FOREIGN KEY")
        ]

    def get_unique_constraints(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[dict[str, Any]]:
        """Return the unique constraints."""
        found = self._constraints(connection, table_name, schema, "UNIQUE")
        return [{"name": None, "column_names": list(row.columns)} for row in found]

    def get_check_constraints(self, *_: Any, **__: Any) -> list[Any]:
        """Return nothing: no tool needs them."""
        return []

    def get_indexes(self, *_: Any, **__: Any) -> list[Any]:
        """Return nothing: no tool needs them."""
        return []

    def get_table_options(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Return nothing: DuckDB has none."""
        return {}

    def get_table_comment(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> dict[str, Any]:
        """Return the comment of a table."""
        tables = "(SELECT database_name, schema_name, table_name, comment FROM duckdb_tables())"
        found = self._read(connection, schema, "comment", tables, "table_name = :name", name=table_name)
        return {"text": found[0].comment if found else None}

    def _columns(self, connection: Connection, table: str, schema: str | None) -> list[Any]:
        wanted = "column_name, data_type, is_nullable, column_default, comment"
        return self._read(connection, schema, wanted, "duckdb_columns()", "table_name = :name", name=table)

    def _constraints(self, connection: Connection, table: str, schema: str | None, kind: str) -> list[Any]:
        wanted = "constraint_column_names AS columns, referenced_table, referenced_column_names AS referenced_columns"
        condition = "table_name = :name AND constraint_type = :kind"
        return self._read(connection, schema, wanted, "duckdb_constraints()", condition, name=table, kind=kind)

    def _read(
        self,
        connection: Connection,
        schema: str | None,
        wanted: str,
        source: str,
        condition: str = "true",
        **values: str,
    ) -> list[Any]:
        """Return rows of DuckDB's catalog in a schema: `NAME`, `DATABASE.NAME`, or None for the current one."""
        database, name = self.identifier_preparer._separate(schema)
        query = text(f"SELECT {wanted} FROM {source} WHERE {PLACE} AND {condition}")
        place = {"database": database or None, "schema": name or None}
        return list(connection.execute(query, {**place, **values}).fetchall())


# One table after another, through the methods above; SQLAlchemy 1.4 knows no other way.
for _name in [name for name in dir(DefaultDialect) if name.startswith("get_multi_")]:
    setattr(Dialect, _name, getattr(DefaultDialect, _name))


def _read_type(name: str) -> types.TypeEngine[Any]:
    """Return SQLAlchemy's type; text for nested types and others that it has no word for."""
    base, _, arguments = name.partition("(")
    if base == "DECIMAL" and not name.endswith("]"):
        precision, scale = arguments.rstrip(")").split(",")
        return types.Numeric(int(precision), int(scale))
    if base == "TIMESTAMP WITH TIME ZONE":
        return types.DateTime(timezone=True)
    return TYPES.get(name, String)()
