"""A SELECT over more rows than one DuckDB should hold: Ray Data hands parts of the input to many of them."""

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
from ..cli.commands.run import BatchJob, make_input, parquet_glob, write_result
from .splittable import check_splittable


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows of one Parquet file, from `start` up to `stop`."""

    file: str
    start: int
    stop: int


def run_in_blocks(batch: BatchJob, count: int, failures: list[str]) -> int:
    """Run the batch's SELECT in so many blocks, and write their rows in the input's order; return how many.

    Raises:
        RequestError: the statement cannot be split, or its input is no Parquet.
        QuackLLMError: a block failed; what the others were answered is kept.
    """
    check_splittable(batch.sql)
    if not (batch.source and batch.target) or batch.database != ":memory:":
        raise RequestError("--blocks reads --in and writes --out, and no database")
    batch = replace(batch, source=parquet_glob(batch.source), cluster=batch.cluster or "auto")
    with duckdb.connect() as plain, tempfile.TemporaryDirectory(prefix="quackllm-blocks-") as folder:
        blocks = _blocks(plain, batch.source or "", count)
        parts = [Path(folder) / f"{number:06}.parquet" for number in range(len(blocks))]
        for number, answer in _answered(batch, blocks):
            parts[number].write_bytes(answer["part"])
            failures += answer["failures"]
        with connect() as connection:
            listed = ", ".join(quote_literal(str(part)) for part in parts)
            return write_result(connection, f"SELECT * FROM read_parquet([{listed}])", batch.target or "")


def _blocks(plain: duckdb.DuckDBPyConnection, source: str, count: int) -> list[list[RowRange]]:
    """Cut the files, one behind the other, into blocks of as many rows."""
    try:
        files = plain.execute(
            f"SELECT file_name, num_rows FROM parquet_file_metadata({quote_literal(source)})"
        ).fetchall()
    except duckdb.Error as error:
        raise RequestError(f"--blocks reads Parquet: {error}") from error
    total = sum(rows for _, rows in files)
    count = max(1, min(count, total))
    edges = [total * number // count for number in range(count + 1)]
    return [list(_spans(files, *edges[number : number + 2])) for number in range(count)]


def _spans(files: Sequence[tuple[str, int]], start: int, stop: int) -> Iterator[RowRange]:
    before = 0
    for file, rows in files:
        first, last = max(start - before, 0), min(stop - before, rows)
        if first < last:
            yield RowRange(file, first, last)
        before += rows


def _answered(batch: BatchJob, blocks: list[list[RowRange]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the blocks' numbers and answers, as they complete."""
    connect_fleet(batch.cluster)
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    items = [{"number": number} for number in range(len(blocks))]
    tasks = ray.data.from_items(items, override_num_blocks=len(items))
    tasks = tasks.map(lambda item: _answer(batch, item["number"], blocks[item["number"]]))
    began = monotonic()
    for done, answer in enumerate(tasks.iter_rows(), 1):
        if answer["error"]:
            raise ray.cloudpickle.loads(answer["error"])
        rows = f"block {answer['number']} gave {answer['rows']:,} rows"
        log_line(f"{done} of {len(blocks)} blocks in {monotonic() - began:,.1f} s: {rows}")
        yield answer["number"], answer


def _answer(batch: BatchJob, number: int, spans: list[RowRange]) -> dict[str, Any]:
    """Run the SELECT over one block, where Ray wants it: its rows come back as the bytes of a Parquet file.

    An error travels as a value: Ray would try the block again, and wrap it.
    """
    from ray import cloudpickle

    answer = {"number": number, "part": b"", "rows": 0, "failures": list[str](), "error": b""}
    with tempfile.TemporaryDirectory(prefix="quackllm-block-") as folder, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", FailedRowsWarning)
        part = Path(folder) / "part.parquet"
        try:
            with connect(model=batch.model, cluster=batch.cluster) as connection:
                make_input(connection, _selected(batch.source or "", spans))
                answer["rows"] = write_result(connection, batch.sql, str(part))
            answer["part"] = part.read_bytes()
        except duckdb.Error as error:
            answer["error"] = cloudpickle.dumps(RequestError(f"block {number}: {error}"))
        except QuackLLMError as error:
            answer["error"] = cloudpickle.dumps(error)
    answer["failures"] = [
        f"block {number}: {warning.message}" for warning in seen if issubclass(warning.category, FailedRowsWarning)
    ]
    return answer


def _selected(source: str, spans: list[RowRange]) -> str:
    """Return the SELECT of a block's rows; it names all files, so that every block has the columns of the whole."""
    whole = f"SELECT * FROM read_parquet({quote_literal(source)}) WHERE "
    parts = [
        f"{whole} filename = {quote_literal(span.file)}"
        f" AND file_row_number >= {span.start} AND file_row_number < {span.stop}"
        for span in spans
    ]
    return " UNION ALL ".join(parts) or f"{whole} false"
