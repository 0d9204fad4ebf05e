"""What `test_data_tools.py` runs in each tool's own environment: prints a JSON object of what the tool showed.

python data_tools.py TOOL
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import quackllm

SQL = "SELECT id, llm_result(llm_chat(body)) AS answer FROM review ORDER BY id"


def make(path: str = ":memory:") -> quackllm.Connection:
    connection = quackllm.connect(path, model="parrot")
    connection.execute("CREATE TABLE review AS FROM (VALUES (1, 'cold'), (2, 'fine')) t(id, body)")
    return connection


def ibis() -> Any:
    import ibis

    @ibis.udf.scalar.builtin
    def ai_complete(prompt: str) -> str: ...

    backend = ibis.duckdb.from_connection(make())
    review = backend.table("review")
    found = review.mutate(answer=ai_complete(review.body)).filter(review.id > 1).select("id", "answer")
    return found.execute().values.tolist()


def polars() -> Any:
    import polars

    review = polars.DataFrame({"id": [1, 2], "body": ["cold", "fine"]})
    with quackllm.connect(model="parrot") as connection:
        found = [connection.sql(SQL).pl()]
        review = review.lazy()  # type: ignore[assignment]
        found.append(connection.sql(SQL).pl())
    return [frame["answer"].to_list() for frame in found]


def jupysql() -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    make("reviews.duckdb").close()
    shell = InteractiveShell.instance()
    for cell in ("%load_ext sql", "%sql quackllm:///reviews.duckdb?model=parrot", f"found = %sql {SQL}"):
        shell.run_cell(cell).raise_error()
    return shell.user_ns["found"].DataFrame().values.tolist()


def sqlalchemy14() -> Any:
    """What Superset does: an engine, an inspector, and statements, all of SQLAlchemy 1.4."""
    from sqlalchemy import create_engine, inspect, text

    make("reviews.duckdb").close()
    engine = create_engine("quackllm:///reviews.duckdb?model=parrot")
    catalog = inspect(engine)
    columns = [[column["name"], str(column["type"])] for column in catalog.get_columns("review")]
    with engine.connect() as connection:
        rows = [list(row) for row in connection.execute(text(SQL))]
    return [catalog.get_table_names(), columns, rows]


def harlequin() -> Any:
    from harlequin.plugins import load_adapter_plugins

    make("reviews.duckdb").close()
    adapter = load_adapter_plugins()["quackllm"](["reviews.duckdb"], model="parrot", read_only=True, no_init=True)
    connection = adapter.connect()
    cursor = connection.execute(SQL)
    assert cursor is not None
    return [list(row.values()) for row in cursor.fetchall().to_pylist()]  # type: ignore[union-attr]


TOOLS: dict[str, Callable[[], Any]] = {tool.__name__: tool for tool in (ibis, polars, jupysql, harlequin, sqlalchemy14)}

if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    quackllm.deploy("parrot", "echo")
    shown = TOOLS[sys.argv[1]]()
    print(f"\n{json.dumps(shown)}", flush=True)
