"""The questions in BlendSQL's own SQL, over the same DuckDB tables.

Configured as README.md of github.com/parkervg/blendsql advises: `set_async_limit` for the requests at once. Its
answers are cached within a question, as ours are; `caching` on disk is off, since each question is asked once.
"""

from __future__ import annotations

import duckdb
import job
from blendsql import BlendSQL
from blendsql.configure import set_async_limit
from blendsql.db import DuckDB
from blendsql.models import OpenAI


def main() -> None:
    """Run the job on standard input."""
    given = job.read()
    set_async_limit(given["concurrency"])
    databases = {name: DuckDB.from_pandas(tables(path)) for name, path in given["databases"].items()}

    def ask(question: job.Question) -> int:
        # A model for each question: its client dies with the event loop, which is a new one at each `execute`.
        model = OpenAI("standin", api_key=given["key"], base_url=given["url"])
        return len(BlendSQL(databases[question["database"]], model=model).execute(question["blendsql"]).df())

    job.measure(given, ask)


def tables(path: str) -> dict[str, object]:
    """Return a DuckDB file's tables as frames."""
    with duckdb.connect(path, read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: connection.execute(f'FROM "{name}"').df() for name in names}


if __name__ == "__main__":
    main()
