"""`quackllm run`: a batch of SQL, from files to a file, with progress in the log and an exit code."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal

import typer

from ....udf.session.progress_log import log_line
from ....udf.session.statement import FailedRowsWarning
from ....workers.errors import BatchPendingError, RequestError
from ...batch.sql_job import BatchJob, run_job
from ...terminal_output import pluralize, print_line
from ..cluster_option import resolve_cluster
from ..shared_options import Cluster, DefaultModel

# Exit code of a finished job some of whose rows got no complete answer.
EXIT_ROWS_FAILED = 3
EXIT_BATCH_PENDING = 4
JOB_FOLDERS = "/runtime_resources/working_dir_files/"


def run(
    script: Annotated[Path | None, typer.Argument(help="A file of SQL statements.")] = None,
    sql: Annotated[str | None, typer.Option(help="The statements themselves.")] = None,
    source: Annotated[
        str | None, typer.Option("--in", help="A file, or a pattern of files, that SQL calls `input`.")
    ] = None,
    target: Annotated[str | None, typer.Option("--out", help="The file for the rows of the last SELECT.")] = None,
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Split the Parquet files of --in into this many parts for the cluster.")
    ] = None,
    database: Annotated[str, typer.Option(help="A DuckDB file to work in.")] = ":memory:",
    read_only: Annotated[bool, typer.Option("--read-only", help="Change nothing in the database.")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Send calls through the service's batch API: half the price, within a day.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="With --batch: wait for the answers, or send the calls and end.")] = True,
    model: DefaultModel = None,
    cluster: Cluster = None,
) -> None:
    """Run a batch of SQL: a script, or one SELECT from a file to a file, on any path that DuckDB reads.

    A script; a SELECT over files, whose rows are written to another:

        quackllm run nightly.sql
        quackllm run --in 'reviews/*.parquet' --out answers.parquet \\
          --sql "SELECT id, llm_result(qianwen_chat(body)) AS answer FROM input"

    As a job of a Ray cluster; --blocks spreads the rows over its nodes:

        ray job submit -- quackllm run nightly.sql
        ray job submit -- quackllm run --blocks 16 --in ... --out ... --sql ...

    For half the price, where nobody is in a hurry (OpenAI, Zhipu, DashScope); typed again, it goes on:

        quackllm run --batch nightly.sql

    Stopped and typed again, it pays only for the missing answers. The file gets its name when it is complete.

    Exit codes: 0; 1: it failed; 3: it is finished, and some rows have no complete answer; 4: with --no-wait, a batch
    has not ended.
    """
    if batch and blocks:
        raise RequestError("--batch and --blocks do not go together", hint="leave out --blocks: the service spreads it")
    batching: Literal["wait", "send"] | None = ("wait" if wait else "send") if batch else None
    job = BatchJob(
        _read_sql(script, sql), source, target, database, model, resolve_cluster(cluster), read_only, batching
    )
    _warn_if_deleted_with_job(target)
    started, failures = monotonic(), list[str]()
    with _collect_failures(failures):
        if blocks:
            from ...batch.ray_blocks import run_in_blocks

            rows = run_in_blocks(job, blocks, failures)
        else:
            try:
                rows = run_job(job)
            except BatchPendingError as pending:
                log_line(f"{pending.message}: {pending.hint}")
                raise typer.Exit(EXIT_BATCH_PENDING) from None
    for failure in failures:
        log_line(failure)
    summary = f"{target or 'done'}: {pluralize(rows, 'row')} in {monotonic() - started:,.1f} s"
    print_line(summary)
    if failures:
        raise typer.Exit(EXIT_ROWS_FAILED)


def _warn_if_deleted_with_job(target: str | None) -> None:
    """Print a warning if a file is to be written into the copy of the working directory in which Ray runs a job."""
    if target and "://" not in target and JOB_FOLDERS in str(Path(target).absolute()):
        log_line(f"Ray deletes this job's folder, and {target} with it: give --out an absolute path")


def _read_sql(script: Path | None, sql: str | None) -> str:
    if (script is None) == (sql is None):
        raise RequestError("say what to run: a file of SQL, or --sql", hint="type: quackllm run nightly.sql")
    if script is None:
        return sql or ""
    if not script.is_file():
        raise RequestError(f"there is no file {script}", hint="a Ray job's files come with: --working-dir .")
    return script.read_text("utf-8")


@contextlib.contextmanager
def _collect_failures(failures: list[str]) -> Iterator[None]:
    """Add the message of each `FailedRowsWarning` to the list; other warnings are shown as usual."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FailedRowsWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, FailedRowsWarning):
            failures.append(str(warning.message))
        else:
            warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
