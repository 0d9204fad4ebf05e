"""The magics: each parses its line and calls the module that does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb

from ..workers.errors import QuackLLMError, RequestError
from .magic_options import ASK, QUACKLLM, SQL, TEXT2SQL, MagicCommand, chat_command
from .notebook_connection import NotebookConnection

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

ON_OFF = {"on": True, "off": False}
BYZER_HELP = """A cell as Byzer's notebooks have it: a chat that begins with `--%chat`, or Byzer's SQL.

That is `select … as table1;`, `run command as LLM…` and `!byzerllm …`. Cells that can be nothing else are given to
this magic by themselves."""


class Magic:
    """One magic, as IPython calls it.

    Args:
        magics: gets the error, if there is one.
        work: called with the line and the cell.
        help: returns the text of `%NAME?`; called late, because it imports modules that loading does not need.
    """

    _ipython_magic_no_var_expand = True
    """IPython's `no_var_expand` sets it: `$x` and `{x}` in a line stay as they are."""

    def __init__(self, magics: Magics, work: Callable[[str, str | None], Any], help: Callable[[], str]) -> None:
        self._magics, self._work, self._help = magics, work, help

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._help()

    def __call__(self, line: str, cell: str | None = None) -> Any:
        """Run the magic; the extension's handler shows its errors."""
        try:
            return self._work(line, cell)
        except (QuackLLMError, duckdb.Error, KeyboardInterrupt) as error:
            self._magics.last_error = error
            raise


class Magics:
    """The magics of one shell.

    Heavy modules are imported by the first cell that needs them, so that the extension loads fast.

    Args:
        shell: the shell.
        notebook: its connection and variables.
    """

    def __init__(self, shell: InteractiveShell, notebook: NotebookConnection) -> None:
        self.shell = shell
        self.notebook = notebook
        self.last_error: BaseException | None = None
        """The last error of a magic, shown as a panel; DuckDB's errors in Python cells are not."""

    def all(self) -> dict[str, tuple[str, Magic]]:
        """Return every magic by name, with its kind: 'line', 'cell' or 'line_cell'."""
        return {
            "quackllm": ("line", Magic(self, self.quackllm, lambda: QUACKLLM.help)),
            "chat": ("line_cell", Magic(self, self.chat, lambda: chat_command().help)),
            "sql": ("line_cell", Magic(self, self.sql, lambda: SQL.help)),
            "text2sql": ("line_cell", Magic(self, self.text2sql, lambda: TEXT2SQL.help)),
            "ask": ("line_cell", Magic(self, self.ask, lambda: ASK.help)),
            "byzer": ("cell", Magic(self, self.byzer, lambda: BYZER_HELP)),
        }

    def chat(self, line: str, cell: str | None) -> None:
        """`%chat` and `%%chat`."""
        from .cells.chat import chat, fill_templates

        given, text = chat_command().read(line)
        question = "\n".join(part for part in (text, (cell or "").strip("\n")) if part)
        chat(self.shell, self.notebook, *fill_templates(self.notebook, given, question))

    def byzer(self, line: str, cell: str | None) -> Any:
        """A cell of Byzer's; its text is not a template."""
        from .cells.byzer import COLUMN, is_chat, parse_cell
        from .cells.byzer_run import run_byzer_sql
        from .cells.chat import chat

        if not is_chat(cell or ""):
            return run_byzer_sql(self.notebook, cell or "")
        chat(self.shell, self.notebook, *parse_cell(cell or ""), column=COLUMN)
        return None

    def sql(self, line: str, cell: str | None) -> Any:
        """`%sql` and `%%sql`."""
        from .cells.byzer_sql import byzer_hint
        from .cells.sql import sql

        given, text = SQL.read(line)
        script = "\n".join(part for part in (text, cell or "") if part)
        try:
            return sql(self.notebook, given, script)
        except duckdb.Error as error:
            if hint := byzer_hint(script):
                raise RequestError(f"DuckDB: {error}", hint=hint) from error
            raise

    def text2sql(self, line: str, cell: str | None) -> Any:
        """`%text2sql` and `%%text2sql`."""
        return self._question(TEXT2SQL, line, cell, edit=True)

    def ask(self, line: str, cell: str | None) -> Any:
        """`%ask` and `%%ask`."""
        return self._question(ASK, line, cell, edit=False)

    def _question(self, command: MagicCommand, line: str, cell: str | None, *, edit: bool) -> Any:
        from .cells.text2sql import ask_question

        given, text = command.read(line)
        return ask_question(self.shell, self.notebook, given, f"{text}\n{cell or ''}", edit=edit)

    def quackllm(self, line: str, cell: str | None = None) -> Any:
        """`%quackllm`."""
        path, given = _read_line(line)
        if (debug := given.pop("debug", None)) is not None:
            if debug not in ON_OFF:
                raise RequestError(f"--debug is 'on' or 'off', not {debug!r}", hint="type: %quackllm --debug on")
            self.notebook.debug = ON_OFF[debug]
        if (name := given.pop("connection", None)) is not None:
            self.notebook.select(name)
        read_only = bool(given.pop("read_only", ""))
        if path:
            self.notebook.open(path, given.get("model"), given.get("cluster"), read_only=read_only)
        elif read_only:
            raise RequestError("--read-only opens a file", hint="type: %quackllm shop.duckdb --read-only")
        elif given:
            self.notebook.configure(given.get("model"), given.get("cluster"))
        from .cells.status import Status

        return Status(self.notebook)


def _read_line(line: str) -> tuple[str, dict[str, str]]:
    """Return the database of a `%quackllm` line, before or behind its options, and the options."""
    before, dashes, _ = line.strip().partition("--")
    given, after = QUACKLLM.read(line.strip()[len(before) :] if dashes else "")
    if before and after:
        raise RequestError(f"{after!r} comes after the options", hint=f"type: %quackllm {before.strip()} --model …")
    return (before.strip() or after).strip("\"'"), given
