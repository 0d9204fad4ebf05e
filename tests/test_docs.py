"""Runs the examples of the documentation, page by page, and compares what they print with what the page shows.

On a page, ```python blocks share one namespace, ```sql blocks run on its `connection`, and an ```output
block shows what the block before it printed, or the table that its last statement returned. Code in a
`<!-- setup … -->` comment runs unseen. A block behind `<!-- not run: why -->` is left out.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from quackllm.workers.deployments.providers import SERVICES

import quackllm
from standin.fixtures import KEY, StandIn

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")])
BLOCK = re.compile(
    r"^(?P<skipped><!-- not run: [^\n]+ -->\n+)?^```(?P<kind>python|sql|output)\n(?P<code>.*?)^```$"
    r"|^<!-- setup\n(?P<setup>.*?)^-->$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Block:
    kind: str
    code: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in BLOCK.finditer(text):
        part = "setup" if match["setup"] is not None else "code"
        line = text.count("\n", 0, match.start(part))
        if not match["skipped"]:
            yield Block("python" if part == "setup" else match["kind"], match[part], line)


class Reader:
    """Runs a page's blocks in order and keeps what the last one printed."""

    def __init__(self, page: Path, service: StandIn) -> None:
        self.page = page
        self.names: dict[str, Any] = {"quackllm": quackllm, "service": service, "__name__": "__page__"}
        self.names["connection"] = quackllm.connect()
        self.printed = ""

    def read(self, block: Block) -> None:
        if block.kind == "output":
            assert self.printed.strip() == block.code.strip(), f"{self.page.name}:{block.line} shows something else"
        elif block.kind == "sql":
            self.printed = self._run_sql(block.code)
        else:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * block.line + block.code, str(self.page), "exec"), self.names)
            self.printed = printed.getvalue()

    def _run_sql(self, code: str) -> str:
        connection = self.names["connection"]
        *first, last = [statement.query for statement in connection.extract_statements(code)]
        for statement in first:
            connection.execute(statement)
        return str(connection.sql(last) or "")

    def close(self) -> None:
        for value in self.names.values():
            if isinstance(value, quackllm.Connection):
                value.close()


@pytest.mark.filterwarnings("ignore::UserWarning")  # The pages show rows that fail.
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_does_what_it_says(
    page: Path, service: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for preset in SERVICES.values():
        monkeypatch.setenv(preset.key_variable or "UNUSED_API_KEY", KEY)
    with contextlib.closing(Reader(page, service)) as reader:
        for block in blocks(page):
            try:
                reader.read(block)
            except Exception as error:
                error.add_note(f"in the {block.kind} block of {page.name}, line {block.line + 1}")
                raise
