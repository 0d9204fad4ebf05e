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
from typer.core import TyperArgument, TyperCommand

NAMES_WIDTH = 34


class CommandWithHelp(TyperCommand):
    """A command whose help has two columns: names and type, description; typer's own has six and cuts the names off."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        console = Console()
        console.print(Padding(Text(self.get_usage(ctx)), 1))
        console.print(Padding(Markdown(self.help or ""), (0, 1, 1, 1)))
        panels = defaultdict(_table, Arguments=_table(), Options=_table())
        for param in self.get_params(ctx):
            default_panel = "Arguments" if isinstance(param, TyperArgument) else "Options"
            if record := param.get_help_record(ctx):
                panels[getattr(param, "rich_help_panel", None) or default_panel].add_row(*map(Text, record))
        for title, table in panels.items():
            if table.rows:
                console.print(Panel(table, title=title, title_align="left", border_style="dim"))


def _table() -> Table:
    table = Table(box=None, show_header=False, expand=True)
    table.add_column(style="bold cyan", max_width=NAMES_WIDTH, overflow="fold")
    table.add_column(ratio=1)
    return table
