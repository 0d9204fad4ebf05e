"""The notebook's connection: one of its variables, found by name each time it is needed."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import duckdb

from ..workers.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from .. import Connection

OPENED = ("connection", "quackllm_connection")
"""What a connection that the extension opens is called: the first of these that holds nothing else."""


class NotebookConnection:
    """Where the magics work.

    Args:
        variables: the notebook's.
    """

    def __init__(self, variables: MutableMapping[str, Any]) -> None:
        self.variables = variables
        self.name: str | None = None
        self.debug = False
        self.suggested_sql: set[str] = set()
        """SQL that was put into a cell to edit: once is enough, however often the question is run."""

    def connection(self) -> Connection:
        """Return the notebook's connection; where there is none yet, one in memory.

        Raises:
            RequestError: there are several, and none was chosen.
        """
        from .. import Connection

        chosen = self.variables.get(self.name or "")
        if isinstance(chosen, Connection):
            return chosen
        found = self._found()
        if len(set(map(id, found.values()))) > 1:
            hint = f"type: %quackllm --connection {min(found)}"
            raise RequestError(f"there are several connections: {', '.join(sorted(found))}", hint=hint)
        if not found:
            return self.open(":memory:")
        self.name, connection = next(iter(found.items()))
        return connection

    def select(self, name: str) -> Connection:
        """Take the connection that a variable holds; a plain DuckDB connection becomes one of ours.

        Raises:
            RequestError: the variable holds none.
        """
        from .. import Connection, register

        value = self.variables.get(name)
        if not isinstance(value, duckdb.DuckDBPyConnection):
            what = f"the variable {name} holds no connection" if name in self.variables else f"there is no {name}"
            hint = did_you_mean(name, self._found()) or "type: %quackllm shop.duckdb"
            raise RequestError(what, hint=hint)
        self.name = name
        return value if isinstance(value, Connection) else register(value)

    def open(self, path: str, model: str | None = None, cluster: str | None = None) -> Connection:
        """Open a database as the notebook's connection, and leave it in a variable for Python's cells."""
        from .. import Connection, connect

        connection = connect(path, model=model, cluster=cluster)
        free = [name for name in OPENED if isinstance(self.variables.get(name, connection), Connection)]
        self.name = free[0] if free else OPENED[-1]
        self.variables[self.name] = connection
        return connection

    def configure(self, model: str | None, cluster: str | None) -> None:
        """Give the connection another default model, or another place for models to answer.

        Raises:
            UnknownModelError: the model is not deployed there.
        """
        from .. import register
        from ..udf.session.session import session_of

        connection = self.connection()
        if cluster is not None:
            register(connection, model=model, cluster=None if cluster == "none" else cluster)
        elif model is not None:
            session = session_of(connection)
            session.model_for(model)
            session.model = model

    def _found(self) -> dict[str, Connection]:
        """Return the connections among the variables; `_` and its like are IPython's own."""
        from .. import Connection

        return {
            name: value
            for name, value in self.variables.items()
            if isinstance(value, Connection) and not name.startswith("_")
        }
