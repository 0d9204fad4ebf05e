"""A dbt-duckdb plugin: the LLM functions on every connection that dbt makes.

In `profiles.yml`, under the target: `plugins: [{module: quackllm.dbt}]`. With `config:` beside `module:`, `model`,
`cluster` and `aliases` are those of `quackllm.connect`, and every other key is a SQL variable, e.g. `llm_max_calls`.
dbt-duckdb's interface: https://github.com/duckdb/dbt-duckdb, `dbt/adapters/duckdb/plugins/__init__.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .udf.connection import register
from .udf.settings import StatementOptions
from .workers.errors import MissingExtraError, RequestError, did_you_mean
from .workers.sql_text import quote_literal

try:
    from dbt.adapters.duckdb.plugins import BasePlugin
except ModuleNotFoundError as error:
    hint = "type: pip install dbt-duckdb dbt-core"
    raise MissingExtraError(f"quackllm.dbt is a plugin of dbt-duckdb: {error}", hint=hint) from error

if TYPE_CHECKING:
    import duckdb

CONNECT_OPTIONS = ("model", "cluster", "aliases")
LOG_PROGRESS = {"llm_progress": "log"}  # dbt writes its own lines to the terminal.


class Plugin(BasePlugin):  # type: ignore[misc]
    """What dbt-duckdb loads."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Read the plugin's `config`.

        Raises:
            RequestError: it has an unknown key.
        """
        self._options: dict[str, Any] = {name: plugin_config[name] for name in CONNECT_OPTIONS if name in plugin_config}
        given = {name: value for name, value in plugin_config.items() if name not in CONNECT_OPTIONS}
        for name in given:
            if name not in StatementOptions.model_fields:
                known = [*CONNECT_OPTIONS, *StatementOptions.model_fields]
                raise RequestError(f"quackllm.dbt has no option {name}", hint=did_you_mean(name, known))
        self._variables = {**LOG_PROGRESS, **given}

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Give the connection the functions; its cursors have them too."""
        register(conn, **self._options)

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Set the SQL variables, which a cursor does not take over from its connection."""
        for name, value in self._variables.items():
            cursor.execute(f"SET VARIABLE {name} = {quote_literal(str(value))}")
