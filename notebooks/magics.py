"""The magics: each reads its line, and hands over to the module that does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb

from ..workers.errors import QuackLLMError, RequestError
from . import magic_options
from .notebook_connection import NotebookConnection

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

SWITCH = {"on": True, "off": False}
BYZER_HELP = """A cell as Byzer's notebooks have it: a chat that begins with `--%chat`, or Byzer's SQL.

That is `select … as table1;`, `run command as LLM…` and `!byzerllm …`. Cells that can be nothing else are given to
this magic by themselves."""


class Magic:
    """One magic, as IPython calls it.

    Args:
        magics: where it notes an error.
        work: what it does, with its line and its cell.
        help: makes what `%NAME?` shows, when it is asked for: that needs modules which loading does without.
    """

    _ipython_magic_no_var_expand = True
    """What IPython's `no_var_expand` sets: `$x` and `{x}` are the text's own."""

    def __init__(self, magics: Magics, work: Callable[[str, str | None], Any], help: Callable[[], str]) -> None:
        self._magics, self._work, self._help = magics, work, help

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._help()

    def __call__(self, line: str, cell: str | None = None) -> Any:
        """Do it; an error is IPython's to show, by way of the extension's handler."""
        try:
            return self._work(line, cell)
        except (QuackLLMError, duckdb.Error, KeyboardInterrupt) as error:
            self._magics.last_error = error
            raise


class Magics:
    """What the names after % do in one shell.

    Heavy modules are loaded by the first cell that needs them, so that loading the extension takes no time.

    Args:
        shell: the shell.
        place: its connection and variables.
    """

    def __init__(self, shell: InteractiveShell, place: NotebookConnection) -> None:
        self.shell = shell
        self.place = place
        self.last_error: BaseException | None = None
        """The last error that a magic raised, which is shown as a panel; DuckDB's in Python's cells are not."""

    def all(self) -> dict[str, tuple[str, Magic]]:
        """Return every magic by name: 'line', 'cell' or 'line_cell', and what does it."""
        return {
            "quackllm": ("line", Magic(self, self.quackllm, lambda: magic_options.QUACKLLM.help)),
            "chat": ("line_cell", Magic(self, self.chat, lambda: magic_options.chat_command().help)),
            "sql": ("line_cell", Magic(self, self.sql, lambda: magic_options.SQL.help)),
            "text2sql": ("line_cell", Magic(self, self.text2sql, lambda: magic_options.TEXT2SQL.help)),
            "ask": ("line_cell", Magic(self, self.ask, lambda: magic_options.ASK.help)),
            "byzer": ("cell", Magic(self, self.byzer, lambda: BYZER_HELP)),
        }

    def chat(self, line: str, cell: str | None) -> None:
        """`%chat` and `%%chat`."""
        from .cells.chat import chat, fill_templates

        given, text = magic_options.chat_command().read(line)
        whole = "\n".join(part for part in (text, (cell or "").strip("\n")) if part)
        chat(self.shell, self.place, *fill_templates(self.place, given, whole))

    def byzer(self, line: str, cell: str | None) -> Any:
        """A cell of Byzer's; what it says is taken as it is written."""
        from .cells.byzer import COLUMN, is_chat, parse_cell
        from .cells.byzer_run import run_byzer_sql
        from .cells.chat import chat

        if not is_chat(cell or ""):
            return run_byzer_sql(self.place, cell or "")
        chat(self.shell, self.place, *parse_cell(cell or ""), column=COLUMN)
        return None

    def sql(self, line: str, cell: str | None) -> Any:
        """`%sql` and `%%sql`."""
        from .cells.sql import sql

        given, text = magic_options.SQL.read(line)
        return sql(self.place, given, "\n".join(part for part in (text, cell or "") if part))

    def text2sql(self, line: str, cell: str | None) -> Any:
        """`%text2sql` and `%%text2sql`."""
        return self._question(magic_options.TEXT2SQL, line, cell, edit=True)

    def ask(self, line: str, cell: str | None) -> Any:
        """`%ask` and `%%ask`."""
        return self._question(magic_options.ASK, line, cell, edit=False)

    def _question(self, command: magic_options.MagicCommand, line: str, cell: str | None, *, edit: bool) -> Any:
        from .cells.text2sql import ask_question

        given, text = command.read(line)
        return ask_question(self.shell, self.place, given, f"{text}\n{cell or ''}", edit=edit)

    def quackllm(self, line: str, cell: str | None = None) -> Any:
        """`%quackllm`."""
        path, given = _path(line)
        if (debug := given.pop("debug", None)) is not None:
            if debug not in SWITCH:
                raise RequestError(f"--debug is 'on' or 'off', not {debug!r}", hint="type: %quackllm --debug on")
            self.place.debug = SWITCH[debug]
        if (name := given.pop("connection", None)) is not None:
            self.place.select(name)
        if path:
            self.place.open(path, given.get("model"), given.get("cluster"))
        elif given:
            self.place.configure(given.get("model"), given.get("cluster"))
        from .cells.status import Status

        return Status(self.place)


def _path(line: str) -> tuple[str, dict[str, str]]:
    """Return the database that a line names, before its options or behind them, and the options."""
    before, dashes, _ = line.strip().partition("--")
    given, after = magic_options.QUACKLLM.read(line.strip()[len(before) :] if dashes else "")
    if before and after:
        raise RequestError(f"{after!r} stands behind the options", hint=f"type: %quackllm {before.strip()} --model …")
    return (before.strip() or after).strip("\"'"), given
