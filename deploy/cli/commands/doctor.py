"""`quackllm doctor`: what is installed, reachable and misconfigured, and what to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ...console import show_json, stdout
from ..cluster_option import resolve_cluster
from ..options import Cluster, DefaultModel, Json

if TYPE_CHECKING:
    from ...doctor.finding import Finding

COLOURS = {"ok": "green", "warning": "yellow", "broken": "red"}
FOUND = {"ok": "ok", "warning": "look", "broken": "broken"}


def doctor(
    ask: Annotated[bool, typer.Option("--ask", help="Ask each model for five tokens: is its key right?")] = False,
    model: DefaultModel = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Say what is missing, unreachable or misconfigured, and what to type.

    Without asking any model; with a question of five tokens to each; of a cluster, for a program:

        quackllm doctor
        quackllm doctor --ask
        quackllm doctor --cluster auto --json

    Nothing is changed, and without --ask no model is asked. Exit code 1: something is broken.
    """
    findings = []
    for finding in _findings(model, resolve_cluster(cluster), ask):
        findings.append(finding)
        if not json:
            _show(finding)
    broken = sum(finding.state == "broken" for finding in findings)
    if json:
        show_json([asdict(finding) for finding in findings])
    else:
        stdout.print("Nothing is broken." if not broken else f"{broken} broken", highlight=False)
    if broken:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    from rich.text import Text

    line = Text.assemble((f"{FOUND[finding.state]:8}", COLOURS[finding.state]), (f"{finding.subject}: ", "bold"))
    stdout.print(line + Text(finding.message), soft_wrap=True)
    for how in finding.type.splitlines():
        stdout.print(Text(f"{'':8}{how}", style="bold"), soft_wrap=True)


def _findings(model: str | None, cluster: str | None, ask: bool) -> Iterator[Finding]:
    """Yield what is found. The rest is imported, and looked at, only where the packages that it needs are right."""
    from ...doctor.packages import check_core

    core = list(check_core())
    yield from core
    if not core:
        from ...doctor.checks import run_checks

        yield from run_checks(model, cluster, ask)
