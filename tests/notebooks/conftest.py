"""An IPython shell with the extension loaded, and what its cells show."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import quackllm
from standin.fixtures import StandIn


@dataclass
class Ran:
    """What a cell did."""

    success: bool
    error: BaseException | None
    value: Any
    shown: list[dict[str, str]]
    """What stands in the output at the end: of what was drawn again and again, the last."""
    drawn: list[dict[str, str]]
    """All that was drawn, in its order."""
    printed: str

    @property
    def text(self) -> str:
        """All that is there, as a terminal has it."""
        return "\n".join([self.printed, *(one["text/plain"] for one in self.shown)])

    @property
    def html(self) -> str:
        """All that is there, as a notebook has it."""
        return "\n".join(one.get("text/html", "") for one in self.shown)


@dataclass
class Cells:
    """A shell in which cells run, as a notebook's kernel or a terminal's IPython has it."""

    shell: InteractiveShell
    ran: list[Ran] = field(default_factory=list)

    def run(self, cell: str) -> Ran:
        """Run a cell."""
        with capture_output() as captured:
            result = self.shell.run_cell(cell, store_history=False)
        standing: dict[Any, dict[str, str]] = {}
        for number, output in enumerate(captured.outputs):
            standing[(output.transient or {}).get("display_id", number)] = output.data
        if result.result is not None:
            data, _ = self.shell.display_formatter.format(result.result)
            standing["value"] = data
        drawn = [output.data for output in captured.outputs]
        error = result.error_before_exec or result.error_in_exec
        printed = captured.stdout + captured.stderr
        ran = Ran(result.success, error, result.result, [*standing.values()], drawn, printed)
        self.ran.append(ran)
        return ran

    def run_ok(self, cell: str) -> Ran:
        """Run a cell that must not fail."""
        ran = self.run(cell)
        assert ran.success, f"{ran.text}\n{ran.error!r}"
        return ran

    def panel(self, cell: str) -> str:
        """Run a cell that must fail with one panel and no traceback; return the panel's text."""
        ran = self.run(cell)
        assert not ran.success
        assert ran.html.count('class="quackllm-error"') == 1
        assert "Traceback" not in ran.text
        return ran.text

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's variables."""
        return self.shell.user_ns


def _shell(kind: type[InteractiveShell], folder: Path, **settings: Any) -> Iterator[Cells]:
    InteractiveShell.clear_instance()
    config = Config({"HistoryManager": {"enabled": False}, **settings})
    shell = kind.instance(config=config, ipython_dir=str(folder))
    try:
        shell.run_line_magic("load_ext", "quackllm.notebooks")
        yield Cells(shell)
        shell.run_line_magic("unload_ext", "quackllm.notebooks")
    finally:
        for value in shell.user_ns.values():
            if isinstance(value, quackllm.Connection):
                value.close()
        kind.clear_instance()
        atexit.unregister(shell.atexit_operations)  # It would look through all of pytest's memory, once for each test.


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Cells]:
    """A shell that shows HTML, with the extension loaded."""
    yield from _shell(InteractiveShell, tmp_path / "ipython")


@pytest.fixture
def ipython(tmp_path: Path) -> Iterator[Cells]:
    """IPython as it is in a terminal."""
    yield from _shell(TerminalInteractiveShell, tmp_path / "ipython", TerminalInteractiveShell={"simple_prompt": True})


@pytest.fixture
def chat_model(service: StandIn) -> None:
    """The only model, `kimi_chat`, over OpenAI's wire."""
    quackllm.deploy("kimi_chat", "saas/kimi", infer_params=service.openai_params())


@pytest.fixture
def both_models(chat_model: None, service: StandIn) -> None:
    """`kimi_chat`, and `qianwen_chat` over DashScope's own wire."""
    quackllm.deploy("qianwen_chat", "saas/qianwen", infer_params=service.dashscope_params())
