"""What the command line prints: tables for people, JSON for programs, and one panel for an error."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

if TYPE_CHECKING:
    from ..workers.serving.fleet import ModelStatus
    from .models_file import Outcome

stdout = Console()
stderr = Console(stderr=True)


def show_error(message: str, hint: str) -> None:
    """Print what happened and what to type."""
    text = escape(message)
    if hint:
        text += f"\n\n[bold]{escape(hint)}[/bold]"
    stderr.print(Panel(text, title="Error", title_align="left", border_style="red"))


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print warnings as a line on the standard error, each time, without the place in the code."""

    def show(message: Warning | str, *place: Any, **more: Any) -> None:
        stderr.print(f"warning: {message}", style="yellow", highlight=False, markup=False, soft_wrap=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def show_json(value: Any) -> None:
    """Print JSON for a program to read."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def status_fields(status: ModelStatus) -> dict[str, Any]:
    """Return a model and its replicas as JSON can hold them; keys are hidden."""
    return {**status.spec.model_dump(mode="json"), "replicas": [asdict(replica) for replica in status.replicas]}


def show_outcome(outcome: Outcome) -> None:
    """Print what happened to one model; a failure on the standard error, with what to type."""
    failed = outcome.outcome == "failed"
    screen = stderr if failed else stdout
    why = f": {outcome.why}" if outcome.why else ""
    style = "red" if failed else None
    screen.print(f"{outcome.name}: {outcome.outcome}{why}", style=style, highlight=False, markup=False, soft_wrap=True)
    for line in outcome.hint.splitlines():
        screen.print(f"  {line}", style="bold", highlight=False, markup=False, soft_wrap=True)


def show_next_step(name: str, *, writes_sql: bool, cluster: str | None) -> None:
    """Print how a model that was deployed is asked."""
    there = f" --cluster {cluster}" if cluster else ""
    lines = [f"Ask it: quackllm chat {name} hello{there}", f"In SQL: SELECT llm_result({name}('hello'));"]
    if writes_sql:
        lines = [f'Ask it: quackllm text2sql "How many are there?" --model {name} --database FILE{there}']
    elif cluster:
        lines[1] += f"   after quackllm.connect(cluster={cluster!r}), or in quackllm sql{there}"
    for line in lines:
        stdout.print(line, highlight=False, markup=False, soft_wrap=True)


def show_models(statuses: Sequence[ModelStatus]) -> None:
    """Print one line a model."""
    if not statuses:
        stdout.print("No model is deployed here. Type: quackllm deploy --help")
        return
    table = _table("name", "type", "workers", "alive", "restarts", "answered", "failed")
    for status in statuses:
        replicas = status.replicas
        table.add_row(
            *(status.spec.name, status.spec.type, str(status.spec.num_workers)),
            str(sum(replica.alive for replica in replicas)) if replicas else "when asked",
            str(sum(max(0, replica.starts - 1) for replica in replicas)),
            str(sum(replica.answered for replica in replicas)),
            str(sum(replica.failed for replica in replicas)),
        )
    stdout.print(table)


def show_status(status: ModelStatus) -> None:
    """Print one model: what it was deployed with, and its replicas."""
    settings = Table(show_header=False, box=None)
    fields = status.spec.model_dump(mode="json", exclude_none=True)
    params = fields.pop("infer_params")
    for name, value in {**fields, **params}.items():
        settings.add_row(f"[bold]{escape(name)}[/bold]", escape(str(value)))
    stdout.print(settings)
    if not status.replicas:
        stdout.print("Its worker starts with the first request, in the process that asks.")
        return
    table = _table("replica", "alive", "starts", "pid", "node", "answered", "failed", "retries", "under way")
    for replica in status.replicas:
        table.add_row(*(escape(str(value)) for value in list(asdict(replica).values())[:-1]))
    stdout.print(table)
    for replica in status.replicas:
        if replica.paused_seconds:
            stdout.print(f"{replica.name} is paused for {replica.paused_seconds:.0f} s: its service asks for it.")


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right")
    return table
