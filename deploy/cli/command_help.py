"""`quackllm COMMAND --help`: flags with their names whole on a terminal of 80 columns."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperArgument, TyperCommand, TyperGroup

NAMES_WIDTH = 34


class CommandWithHelp(TyperCommand):
    """A command whose help has two columns: names and type, description; typer's own has six and cuts the names off."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        print_help(self, ctx)


def print_help(command: TyperCommand | TyperGroup, ctx: Any) -> None:
    """Print a command's usage, its text, and a panel for its arguments, its options and each panel of commands."""
    console = Console()
    console.print(Padding(Text(command.get_usage(ctx)), 1))
    console.print(Padding(Markdown(command.help or ""), (0, 1, 1, 1)))
    for title, table in _panels(command, ctx).items():
        if table.rows:
            console.print(Panel(table, title=title, title_align="left", border_style="dim"))


def _panels(command: TyperCommand | TyperGroup, ctx: Any) -> dict[str, Table]:
    panels = defaultdict(_table, Arguments=_table(), Options=_table())
    for param in command.get_params(ctx):
        default_panel = "Arguments" if isinstance(param, TyperArgument) else "Options"
        if record := param.get_help_record(ctx):
            # With spaces, a long list of choices is wrapped between them.
            names, description = record[0].replace("|", " | "), record[1]
            panels[getattr(param, "rich_help_panel", None) or default_panel].add_row(Text(names), Text(description))
    commands = command.commands if isinstance(command, TyperGroup) else {}
    shown = {name: found for name, found in commands.items() if not found.hidden}
    for name, found in shown.items():
        panel = panels[getattr(found, "rich_help_panel", None) or "Commands"]
        panel.columns[0].min_width = max(map(len, shown))
        panel.add_row(name, Text(found.help or ""))
    return panels


def _table() -> Table:
    table = Table(box=None, show_header=False, expand=True)
    table.add_column(style="bold cyan", max_width=NAMES_WIDTH, overflow="fold")
    table.add_column(ratio=1)
    return table
