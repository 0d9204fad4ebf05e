"""A SELECT over more rows than one DuckDB should hold: Ray Data runs blocks of the input on many DuckDBs."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import duckdb

from ...udf.connection import connect
from ...udf.session.progress_log import log_line
from ...udf.session.statement import FailedRowsWarning
from ...workers import connect_fleet
from ...workers.errors import QuackLLMError, RequestError
from ...workers.sql_text import quote_literal
from ..terminal_output import pluralize
from .splittable import check_splittable
from .sql_job import BatchJob, create_input, parquet_glob, write_result


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows of one Parquet file, from `start` up to `stop`."""

    file: str
    start: int
    stop: int


def run_in_blocks(job: BatchJob, count: int, failures: list[str]) -> int:
    """Run the job's SELECT in blocks, write their rows in the input's order, and return how many there are.

    Args:
        job: one SELECT with a source and a target.
        count: how many blocks.
        failures: gets a line for each warning about rows without an answer.

    Raises:
        RequestError: the statement cannot be split, or its input is not Parquet.
        QuackLLMError: a block failed; the answers of the other blocks are in the call store.
    """
    check_splittable(job.sql)
    if not (job.source and job.target) or job.database != ":memory:":
        raise RequestError("--blocks needs --in and --out, and works without --database")
    job = replace(job, source=parquet_glob(job.source), cluster=job.cluster or "auto")
    with duckdb.connect() as duck, tempfile.TemporaryDirectory(prefix="quackllm-blocks-") as folder:
        blocks = _cut(duck, job.source or "", count)
        parts = [Path(folder) / f"{number:06}.parquet" for number in range(len(blocks))]
        for number, result in _run_blocks(job, blocks):
            parts[number].write_bytes(result["part"])
            failures += result["failures"]
        with connect() as connection:
            files = ", ".join(quote_literal(str(part)) for part in parts)
            return write_result(connection, f"SELECT * FROM read_parquet([{files}])", job.target or "")


def _cut(duck: duckdb.DuckDBPyConnection, source: str, count: int) -> list[list[RowRange]]:
    """Cut the files, in their order, into blocks of equally many rows."""
    try:
        files = duck.execute(
            f"SELECT file_name, num_rows FROM parquet_file_metadata({quote_literal(source)})"
        ).fetchall()
    except duckdb.Error as error:
        raise RequestError(f"--blocks reads Parquet: {error}") from error
    total = sum(rows for _, rows in files)
    count = max(1, min(count, total))
    edges = [total * number // count for number in range(count + 1)]
    return [list(_row_ranges(files, *edges[number : number + 2])) for number in range(count)]


def _row_ranges(files: Sequence[tuple[str, int]], start: int, stop: int) -> Iterator[RowRange]:
    offset = 0
    for file, rows in files:
        first, last = max(start - offset, 0), min(stop - offset, rows)
        if first < last:
            yield RowRange(file, first, last)
        offset += rows


def _run_blocks(job: BatchJob, blocks: list[list[RowRange]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each block's number and result when it is complete."""
    connect_fleet(job.cluster)
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    items = [{"number": number} for number in range(len(blocks))]
    tasks = ray.data.from_items(items, override_num_blocks=len(items))
    tasks = tasks.map(lambda item: _run_block(job, item["number"], blocks[item["number"]]))
    started = monotonic()
    for done, result in enumerate(tasks.iter_rows(), 1):
        if result["error"]:
            raise ray.cloudpickle.loads(result["error"])
        rows = f"block {result['number']} has {pluralize(result['rows'], 'row')}"
        log_line(f"{done} of {len(blocks)} blocks in {monotonic() - started:,.1f} s: {rows}")
        yield result["number"], result


def _run_block(job: BatchJob, number: int, ranges: list[RowRange]) -> dict[str, Any]:
    """Run the SELECT over one block in a Ray task; its rows are returned as the bytes of a Parquet file.

    An error is returned as a value: if it were raised, Ray would retry the block and wrap the error.
    """
    from ray import cloudpickle

    result = {"number": number, "part": b"", "rows": 0, "failures": list[str](), "error": b""}
    with (
        tempfile.TemporaryDirectory(prefix="quackllm-block-") as folder,
        warnings.catch_warnings(record=True) as seen,
    ):
        warnings.simplefilter("always", FailedRowsWarning)
        part = Path(folder) / "part.parquet"
        try:
            with connect(model=job.model, cluster=job.cluster) as connection:
                create_input(connection, _select_ranges(job.source or "", ranges))
                result["rows"] = write_result(connection, job.sql, str(part))
            result["part"] = part.read_bytes()
        except duckdb.Error as error:
            result["error"] = cloudpickle.dumps(RequestError(f"block {number}: {error}"))
        except QuackLLMError as error:
            result["error"] = cloudpickle.dumps(error)
    result["failures"] = [
        f"block {number}: {warning.message}" for warning in seen if issubclass(warning.category, FailedRowsWarning)
    ]
    return result


def _select_ranges(source: str, ranges: list[RowRange]) -> str:
    """Return the SELECT of a block's rows; it reads all files, so that every block has the columns of the whole."""
    select = f"SELECT * FROM read_parquet({quote_literal(source)}) WHERE "
    parts = [
        f"{select} filename = {quote_literal(rows.file)} "
        f"AND file_row_number >= {rows.start} AND file_row_number < {rows.stop}"
        for rows in ranges
    ]
    return " UNION ALL ".join(parts) or f"{select} false"
