"""The output of `%quackllm`: the connection, its default model, and the deployed models."""

from __future__ import annotations

from html import escape
from typing import Any

import pyarrow as pa

from ...udf.raw_sql import execute_raw
from ...udf.session.session import find_session
from ..display.html import Bundle, div, mime_bundle
from ..display.result_table import Result
from ..notebook_connection import NotebookConnection
from .sql import run

NO_MODELS = "No model is deployed yet: quackllm.deploy(…), or quackllm deploy --help in a terminal."
DATABASE_SQL = "SELECT database_name, path FROM duckdb_databases() WHERE database_name = current_database()"


class Status:
    """The notebook's connection as it is now."""

    def __init__(self, notebook: NotebookConnection) -> None:
        connection = notebook.connection()
        ((database, path),) = execute_raw(connection, DATABASE_SQL)
        self.lines = {
            "connection": f"the variable {notebook.name}",
            "database": path or f"{database}, in memory",
            "default model": find_session(connection).model or "none: the only one deployed, or --model",
        }
        self.models = run(connection, "FROM llm_models()") or Result(pa.table({}))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return self.bundle()

    def __repr__(self) -> str:
        return self.bundle()["text/plain"]

    def bundle(self) -> Bundle:
        """Return the lines, and the models as a table."""
        models = self.models.bundle() if len(self.models) else mime_bundle(div(NO_MODELS), NO_MODELS)
        html = "".join(div(f"<b>{name}</b> {escape(text)}") for name, text in self.lines.items())
        text = "\n".join(f"{name}: {value}" for name, value in self.lines.items())
        return mime_bundle(div(html + models["text/html"], css_class="about"), f"{text}\n{models['text/plain']}")
