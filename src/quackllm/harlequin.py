"""A Harlequin adapter: `harlequin -a quackllm shop.duckdb` is DuckDB's adapter, with the LLM functions."""

from __future__ import annotations

from typing import Any, ClassVar

from harlequin.options import TextOption
from harlequin_duckdb.adapter import DuckDbAdapter

from .udf.connection import register

MODEL = TextOption("model", "The default model of llm_chat(request) and text2sql(question).")
CLUSTER = TextOption("cluster", "Ray's address, or 'auto'; left out: models answer in this process.")


class Adapter(DuckDbAdapter):  # type: ignore[misc]
    """What Harlequin loads."""

    ADAPTER_OPTIONS: ClassVar[list[Any]] = [*(DuckDbAdapter.ADAPTER_OPTIONS or []), MODEL, CLUSTER]
    ADAPTER_DETAILS = (
        "DuckDB with LLM functions: https://github.com/duckdb/duckdb is the database, quackllm the functions."
    )

    def __init__(self, conn_str: Any, model: str | None = None, cluster: str | None = None, **options: Any) -> None:
        super().__init__(conn_str, **options)
        self._model, self._cluster = model, cluster

    def connect(self) -> Any:
        """Open the databases, and give the connection our functions."""
        connection = super().connect()
        register(connection.conn, model=self._model, cluster=self._cluster)
        return connection
