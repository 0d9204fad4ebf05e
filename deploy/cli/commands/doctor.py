"""`quackllm doctor`: what is missing, unreachable or misconfigured, and what to type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ...terminal_output import print_line, show_json, stdout
from ..cluster_option import resolve_cluster
from ..shared_options import Cluster, DefaultModel, Json

if TYPE_CHECKING:
    from ...doctor.finding import Finding

COLOURS = {"ok": "green", "warning": "yellow", "broken": "red"}
LABELS = {"ok": "ok", "warning": "look", "broken": "broken"}


def doctor(
    ask: Annotated[bool, typer.Option("--ask", help="Request five tokens from each model: is its key right?")] = False,
    model: DefaultModel = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Say what is missing, unreachable or misconfigured, and what to type.

    Without a request to any model; with a request of five tokens to each; for a cluster, as JSON:

        quackllm doctor
        quackllm doctor --ask
        quackllm doctor --cluster auto --json

    The doctor changes nothing. Exit code 1: something is broken.
    """
    findings = []
    for finding in _run_all_checks(model, resolve_cluster(cluster), ask):
        findings.append(finding)
        if not json:
            _show(finding)
    broken = sum(finding.state == "broken" for finding in findings)
    if json:
        show_json([finding.fields() for finding in findings])
    else:
        print_line("Nothing is broken." if not broken else f"{broken} broken")
    if broken:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    from rich.text import Text

    line = Text.assemble((f"{LABELS[finding.state]:8}", COLOURS[finding.state]), (f"{finding.subject}: ", "bold"))
    stdout.print(line + Text(finding.message), soft_wrap=True)
    for fix in finding.fix.splitlines():
        print_line(f"{'':8}{fix}", style="bold")


def _run_all_checks(model: str | None, cluster: str | None, ask: bool) -> Iterator[Finding]:
    """Yield the findings. The other checks are imported only if the packages that they need are right."""
    from ...doctor.packages import check_core

    core = list(check_core())
    yield from core
    if not core:
        from ...doctor.checks import run_checks

        yield from run_checks(model, cluster, ask)
