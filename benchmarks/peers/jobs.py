"""The job that a peer gets: of the forty questions those that it can express, with the native part done for some."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from fixtures import KEY, StandIn
from quackllm.udf.text2sql.evaluation.datasets import open_database
from queries import Query, Step, plain
from totals import Measured

from .run import PeerError, ask_peer

AT_ONCE = {"Daft": 1}
"""Questions for one process of the peer: Daft 0.7.26 stands still when a process has asked a few with `prompt`."""

READY = "SELECT {{LLMMap('[True/False] Ready?', Pets.ask_PetType, return_type='bool')}} FROM Pets"
WARM_UP = Query("", "warm up", "pets_1", "", "SELECT 'warm up' AS item", (Step("Ready?", False),), blendsql=READY)


def peer_measured(name: str, queries: Sequence[Query], service: StandIn, concurrency: int) -> dict[str, Measured]:
    """Return what each question took the peer; those that it did not answer are marked."""
    chosen = [query for query in queries if query.blendsql or name != "BlendSQL"]
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "url": service.openai_url,
            "state": f"{service.url}/admin/state",
            "key": KEY,
            "concurrency": concurrency,
            "cache": folder,
            "databases": _databases(Path(folder)) if name == "BlendSQL" else {},
            "warm_up": _question(WARM_UP),
        }
        size = AT_ONCE.get(name, len(chosen))
        parts = [chosen[start : start + size] for start in range(0, len(chosen), size)]
        return {key: one for part in parts for key, one in _part_measured(name, job, part).items()}


def _part_measured(name: str, job: dict[str, Any], queries: Sequence[Query]) -> dict[str, Measured]:
    try:
        told = ask_peer(name, {**job, "questions": [_question(query) for query in queries]})
    except PeerError as error:
        print(f"{name} did not answer {len(queries)} questions: {error}")
        return {query.name: Measured(0, 0, 0, 0, "did not run") for query in queries}
    return {row["name"]: _measured(row) for row in told}


def _question(query: Query) -> dict[str, Any]:
    with plain(query.database) as connection:
        rows = connection.sql(f"SELECT * FROM ({query.rows}) WHERE item IS NOT NULL").to_arrow_table().to_pydict()
    steps = [dataclasses.asdict(step) for step in query.steps]
    return {"name": query.name, "database": query.database, "rows": rows, "steps": steps, "blendsql": query.blendsql}


def _databases(folder: Path) -> dict[str, str]:
    """Write each database as a DuckDB file, with a column `ask_NAME` for each text: what is asked about, in ‹›."""
    paths = {}
    for database in ("car_1", "concert_singer", "flight_2", "pets_1", "world_1"):
        paths[database] = str(folder / f"{database}.duckdb")
        with duckdb.connect(paths[database]) as connection:
            open_database(connection, database)
            _add_asked(connection)
    return paths


def _add_asked(connection: duckdb.DuckDBPyConnection) -> None:
    texts = (
        "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE data_type = 'VARCHAR' AND NOT internal "
        "AND database_name = current_database() GROUP BY table_name"
    )
    for table, names in connection.execute(texts).fetchall():
        asked = ", ".join(f"""'‹' || "{name}" || '›' AS "ask_{name}\"""" for name in names)
        connection.execute(f'CREATE OR REPLACE TABLE "{table}" AS SELECT *, {asked} FROM "{table}"')


def _measured(row: dict[str, Any]) -> Measured:
    tokens = row["input_tokens"], row["output_tokens"]
    return Measured(row["seconds"], row["count"], *tokens, error=row.get("error", ""))
