"""Output of the command line: lines, tables, JSON, and one panel for an error."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table

from ..workers.errors import cluster_option

if TYPE_CHECKING:
    from ..workers.serving.fleet import ModelStatus
    from .models_file import ApplyOutcome

WIDEST_LINE = 10_000
stdout = Console()
stderr = Console(stderr=True)


def print_line(text: str, *, to: Console = stdout, style: str | None = None) -> None:
    """Print a line exactly as it is, so that it can be copied: not wrapped, not highlighted, no markup read."""
    to.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def pluralize(count: int, noun: str) -> str:
    """Return a count with its noun: '1 row', '2,000 rows'."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def show_error(message: str, hint: str) -> None:
    """Print an error panel: what happened, and what to type."""
    text = escape(message)
    if hint:
        text += f"\n\n[bold]{escape(hint)}[/bold]"
    stderr.print(Panel(text, title="Error", title_align="left", border_style="red"))


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print each warning as a line on the standard error, without the position in the code."""

    def show(message: Warning | str, *position: Any, **rest: Any) -> None:
        print_line(f"warning: {message}", to=stderr, style="yellow")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def show_json(value: Any) -> None:
    """Print JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def status_fields(status: ModelStatus) -> dict[str, Any]:
    """Return a model and its replicas as JSON values; API keys are hidden."""
    return {**status.spec.model_dump(mode="json"), "replicas": [asdict(replica) for replica in status.replicas]}


def show_outcome(outcome: ApplyOutcome) -> None:
    """Print what happened to one model; a failure goes to the standard error."""
    failed = outcome.outcome == "failed"
    console = stderr if failed else stdout
    why = f": {outcome.why}" if outcome.why else ""
    style = "red" if failed else None
    print_line(f"{outcome.name}: {outcome.outcome}{why}", to=console, style=style)
    for line in outcome.hint.splitlines():
        print_line(f"  {line}", to=console, style="bold")


def show_next_step(name: str, *, writes_sql: bool, cluster: str | None) -> None:
    """Print the commands that use a newly deployed model.

    Args:
        name: the model.
        writes_sql: it answers questions about a database.
        cluster: where it is deployed; None: in this process.
    """
    option = cluster_option(cluster)
    lines = [f"Ask it: quackllm chat {name} hello{option}", f"In SQL: SELECT llm_result({name}('hello'));"]
    if writes_sql:
        lines = [f'Ask it: quackllm text2sql "How many are there?" --model {name} --database FILE{option}']
    elif cluster:
        lines[1] += f"   after quackllm.connect(cluster={cluster!r}), or in quackllm sql{option}"
    for line in lines:
        print_line(line)


def make_table(*columns: str, numbers_from: int = 1) -> Table:
    """Return an empty table, whose cells are wrapped and never cut off; the columns from a number on hold numbers."""
    table = Table(box=None, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number >= numbers_from else "left", overflow="fold")
    return table


def print_table(table: Table) -> None:
    """Print a table with every word whole: a row on one line, or as a block where the terminal is too narrow for that.

    Into a file or a pipe, a row is always one line, for `grep` and `awk`.
    """
    width = Measurement.get(stdout, stdout.options.update(width=WIDEST_LINE), table).maximum
    if width <= stdout.width or not stdout.is_terminal:
        Console(file=stdout.file, width=max(width, stdout.width)).print(table)
        return
    for row in zip(*(column.cells for column in table.columns), strict=True):
        block = Table(box=None, show_header=False)
        block.add_column(style="bold")
        block.add_column(overflow="fold")
        for column, cell in zip(table.columns, row, strict=True):
            block.add_row(column.header, cell)
        stdout.print(block, "")


def show_models(statuses: Sequence[ModelStatus], cluster: str | None = None) -> None:
    """Print one line per model; `cluster` is the one that they are on."""
    if not statuses:
        if cluster:
            stdout.print(f"No model is deployed on {cluster}. Type: quackllm deploy … --cluster {cluster}")
        else:
            stdout.print("No model is deployed here. Type: quackllm deploy --help")
            stdout.print("On a cluster: quackllm list --cluster auto")
        return
    table = make_table("name", "type", "workers", "alive", "restarts", "answered", "failed", numbers_from=2)
    for status in statuses:
        replicas = status.replicas
        counts = [
            sum(replica.alive for replica in replicas),
            sum(max(0, replica.starts - 1) for replica in replicas),
            sum(replica.answered for replica in replicas),
            sum(replica.failed for replica in replicas),
        ]
        # Without a replica the worker is in each process that calls the model: no number here would be true of them.
        shown = [str(count) for count in counts] if replicas else ["on request", "", "", ""]
        table.add_row(status.spec.name, status.spec.type, str(status.spec.num_workers), *shown)
    print_table(table)
    if not stdout.is_terminal:  # Where a program reads the lines, each is a model.
        return
    option = cluster_option(cluster)
    if any(status.replicas for status in statuses):
        print_line("Counted for each replica since it last started.", style="dim")
    print_line(f'All calls of every process: quackllm sql -c "FROM llm_usage()"{option}', style="dim")


def show_status(status: ModelStatus) -> None:
    """Print one model: its settings and its replicas."""
    settings = make_table("setting", "value", numbers_from=2)
    settings.show_header = False
    fields = status.spec.model_dump(mode="json", exclude_none=True)
    params = fields.pop("infer_params")
    for name, value in {**fields, **params}.items():
        settings.add_row(f"[bold]{escape(name)}[/bold]", escape(str(value)))
    stdout.print(settings)
    if not status.replicas:
        stdout.print("Its worker starts with the first request, in the requesting process.")
        return
    columns = ("replica", "alive", "starts", "pid", "node", "answered", "failed", "retries", "in flight")
    table = make_table(*columns, numbers_from=2)
    for replica in status.replicas:
        table.add_row(*(escape(str(value)) for value in list(asdict(replica).values())[:-1]))
    print_table(table)
    for replica in status.replicas:
        if replica.paused_seconds:
            stdout.print(f"{replica.name} is paused for {replica.paused_seconds:.0f} s, as its service requested.")
