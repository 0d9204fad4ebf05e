"""Byzer's cells: which they are, and chats, with lines like `--%model=qianwen_chat` above the question.

Read as byzer-notebook reads them, which is said in Byzer's documentation (docs.byzer.org).
"""

from __future__ import annotations

import re
from itertools import takewhile

from ..magic_options import chat_command
from .byzer_sql import is_byzer_sql

HEADER = re.compile(r"(?:--|#)%\s*(?P<key>[A-Za-z_][\w.-]*)\s*(?:=(?P<value>.*))?$")
MAY_BEGIN = re.compile(r"^\s*(?:!byzerllm|run|select|with)\b", re.IGNORECASE | re.MULTILINE)
"""What a line of Byzer's SQL begins with: most cells hold none, and are looked at no further."""
COLUMN = "q"
"""The one column of the tables that these cells make, as Byzer calls it."""


def as_magic(lines: list[str]) -> list[str]:
    """Put `%%byzer` before a chat cell of Byzer's, and a cell of Byzer's SQL; every other cell stays as it is."""
    rest = [line for line in lines if line.strip()]
    headers = [header for line in rest if (header := HEADER.match(line.rstrip()))]
    first = len(list(takewhile(lambda line: HEADER.match(line.rstrip()), rest)))
    if any(header["key"] == "chat" for header in headers[:first]):
        return ["%%byzer\n", *lines]
    return ["%%byzer\n", *lines] if MAY_BEGIN.search("".join(lines)) and is_byzer_sql("".join(lines)) else lines


def is_chat(cell: str) -> bool:
    """Whether a cell is a chat, and not SQL."""
    header = HEADER.match(next((line.rstrip() for line in cell.splitlines() if line.strip()), ""))
    return header is not None


def parse_cell(cell: str) -> tuple[dict[str, str], str]:
    """Return the options that a cell's header lines give, and the question.

    Raises:
        RequestError: an option that there is not.
    """
    given: dict[str, str] = {}
    lines = cell.splitlines(keepends=True)
    index = 0
    while index < len(lines) and (not lines[index].strip() or HEADER.match(lines[index].rstrip())):
        if (header := HEADER.match(lines[index].rstrip())) and header["key"] != "chat":
            given[chat_command().option(header["key"])] = (header["value"] or "").strip()
        index += 1
    return {name: value for name, value in given.items() if value}, "".join(lines[index:]).strip()
