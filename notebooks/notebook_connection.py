"""The notebook's connection: one of its variables, looked up by name each time."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import duckdb

from ..workers.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from .. import Connection

# Variables for a connection that the extension opens: the first that is free, or holds a connection.
VARIABLE_NAMES = ("connection", "quackllm_connection")


class NotebookConnection:
    """The connection and the variables that the magics use.

    Args:
        variables: the notebook's variables.
    """

    def __init__(self, variables: MutableMapping[str, Any]) -> None:
        self.variables = variables
        self.name: str | None = None
        self.debug = False
        self.suggested_sql: set[str] = set()
        """SQL that was put into a cell to edit already; it is not put there again."""

    def connection(self) -> Connection:
        """Return the notebook's connection; if there is none yet, open one in memory.

        Raises:
            RequestError: there are several, and none was selected.
        """
        from .. import Connection

        selected = self.variables.get(self.name or "")
        if isinstance(selected, Connection):
            return selected
        connections = self._connections()
        if len(set(map(id, connections.values()))) > 1:
            hint = f"type: %quackllm --connection {min(connections)}"
            raise RequestError(f"there are several connections: {', '.join(sorted(connections))}", hint=hint)
        if not connections:
            return self.open(":memory:")
        self.name, connection = next(iter(connections.items()))
        return connection

    def select(self, name: str) -> Connection:
        """Use the connection in a variable; a plain DuckDB connection is registered.

        Raises:
            RequestError: the variable holds no connection.
        """
        from .. import Connection, register

        value = self.variables.get(name)
        if not isinstance(value, duckdb.DuckDBPyConnection):
            problem = f"the variable {name} holds no connection" if name in self.variables else f"there is no {name}"
            hint = did_you_mean(name, self._connections()) or "type: %quackllm shop.duckdb"
            raise RequestError(problem, hint=hint)
        self.name = name
        return value if isinstance(value, Connection) else register(value)

    def open(
        self, path: str, model: str | None = None, cluster: str | None = None, *, read_only: bool = False
    ) -> Connection:
        """Open a database as the notebook's connection, and assign it to a variable for Python's cells.

        Args:
            path: a DuckDB file, or ':memory:'.
            model: the default model.
            cluster: the Ray cluster that has the models; None: this process.
            read_only: open the file for reading only.

        Raises:
            SetupError: DuckDB cannot open the file.
        """
        from .. import Connection, connect
        from ..udf.open_errors import open_error

        try:
            connection = connect(path, model=model, cluster=cluster, read_only=read_only)
        except duckdb.Error as error:
            raise open_error(path, error, f": %quackllm {path} --read-only") from error
        free = [name for name in VARIABLE_NAMES if isinstance(self.variables.get(name, connection), Connection)]
        self.name = free[0] if free else VARIABLE_NAMES[-1]
        self.variables[self.name] = connection
        return connection

    def configure(self, model: str | None, cluster: str | None) -> None:
        """Change the connection's default model, or the cluster that has its models.

        Args:
            model: the default model; None: unchanged.
            cluster: a Ray cluster; 'none': this process; None: unchanged.

        Raises:
            UnknownModelError: the model is not deployed there.
        """
        from .. import register
        from ..udf.session.session import find_session

        connection = self.connection()
        if cluster is not None:
            register(connection, model=model, cluster=None if cluster == "none" else cluster)
        elif model is not None:
            session = find_session(connection)
            session.model_for(model)
            session.model = model

    def _connections(self) -> dict[str, Connection]:
        """Return the connections among the variables, without IPython's own such as `_`."""
        from .. import Connection

        return {
            name: value
            for name, value in self.variables.items()
            if isinstance(value, Connection) and not name.startswith("_")
        }
