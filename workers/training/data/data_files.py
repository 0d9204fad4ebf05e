"""Rows out of files and queries, each with the line it came from; a line that cannot be read is counted, not lost."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ...errors import TrainingError

FORMS = ".jsonl, .json, .parquet or .txt, the first two and the last also with .gz"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: its line in the file (or its number in a table), and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


Row = tuple[int, Any]  # A line's number and its value.


def read_data_rows(file: str | None, query: str | None = None, database: str | None = None) -> Iterator[Row | BadRow]:
    """Yield the rows of a file, or of a DuckDB query.

    Args:
        file: JSON, JSON lines, Parquet or text; None: a query is given.
        query: a DuckDB SELECT.
        database: the DuckDB file that it reads; None: an empty one.

    Raises:
        TrainingError: there is no such file, it is none that can be read, or the query fails.
    """
    if file is None:
        yield from _query_rows(query or "", database)
        return
    path = Path(file)
    if not path.is_file():
        raise TrainingError(f"there is no data file {file}", hint="is the path right? Type: ls " + str(path.parent))
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix
    if suffix == ".parquet":
        yield from _parquet_rows(path)
    elif suffix in (".jsonl", ".ndjson"):
        yield from _json_lines(path)
    elif suffix == ".json":
        yield from _json_list(path)
    elif suffix in (".txt", ".text", ".md"):
        yield from _documents(path)
    else:
        raise TrainingError(f"{file} has an unknown file type", hint=f"its name ends in {FORMS}")


def _open(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _json_lines(path: Path) -> Iterator[Row | BadRow]:
    with _open(path) as lines:
        for number, line in enumerate(_decoded(lines, path), 1):
            if line.strip():
                yield _json_row(number, line)


def _decoded(lines: IO[str], path: Path) -> Iterator[str]:
    try:
        yield from lines
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise TrainingError(f"{path} cannot be read: {error}", hint="it must be UTF-8 text") from error


def _json_row(number: int, line: str) -> Row | BadRow:
    try:
        return number, json.loads(line)
    except json.JSONDecodeError as error:
        return BadRow(number, f"not JSON: {error}")


def _json_list(path: Path) -> Iterator[Row | BadRow]:
    """Yield the items of a JSON list; their numbers count from 1."""
    with _open(path) as file:
        try:
            rows = json.loads("".join(_decoded(file, path)))
        except json.JSONDecodeError as error:
            hint = "JSON lines, one object a line, end in .jsonl"
            raise TrainingError(f"{path} is not JSON: {error}", hint=hint) from error
    if not isinstance(rows, list):
        raise TrainingError(
            f"{path} does not contain a list of rows", hint="write [{…}, {…}], or JSON lines in a .jsonl"
        )
    yield from enumerate(rows, 1)


def _documents(path: Path) -> Iterator[Row]:
    """Yield the documents of a text: what stands between empty lines, under the number of its first line."""
    first, lines = 0, list[str]()
    with _open(path) as file:
        for number, line in enumerate(_decoded(file, path), 1):
            if line.strip():
                first = first if lines else number
                lines.append(line)
            elif lines:
                yield first, {"text": "".join(lines)}
                lines = []
    if lines:
        yield first, {"text": "".join(lines)}


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        batches = parquet.ParquetFile(path).iter_batches(10_000)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
    except (pa.ArrowInvalid, OSError) as error:
        raise TrainingError(f"{path} is not a Parquet file: {error}", hint=f"its name ends in {FORMS}") from error


def _query_rows(query: str, database: str | None) -> Iterator[Row]:
    import duckdb

    if database and not Path(database).is_file():
        raise TrainingError(f"there is no database {database}", hint="is the path right?")
    try:
        with duckdb.connect(database or ":memory:", read_only=bool(database)) as connection:
            if (relation := connection.sql(query)) is None:
                raise TrainingError("the query gives no rows", hint="write a SELECT")
            reader = relation.to_arrow_reader(10_000)
            yield from enumerate((row for batch in reader for row in batch.to_pylist()), 1)
    except duckdb.Error as error:
        raise TrainingError(f"the query fails: {error}", hint=f"it was: {query}") from error
