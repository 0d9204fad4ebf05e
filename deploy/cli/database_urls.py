"""Databases as one types them, a path or a URL, with or without a name before it, as names and URLs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ...workers.errors import RequestError

NAMED = re.compile(r"([A-Za-z_]\w*)=(.+)", re.DOTALL)
SQLITE_HEADER = b"SQLite format 3\0"


def parse_databases(arguments: Iterable[str]) -> dict[str, str]:
    """Return the URL of each database by its name; a file without a name is called like the file.

    Args:
        arguments: paths or URLs, each with or without `NAME=` before it.

    Raises:
        RequestError: there is no such file, a URL needs a name, or two have the same name.
    """
    urls: dict[str, str] = {}
    for argument in arguments:
        named = NAMED.fullmatch(argument)
        name, address = (named[1], named[2]) if named else ("", argument)
        if _is_url(address):
            if not name:
                raise RequestError(
                    f"a URL needs a name: {_scheme(address)}://…", hint=f"write shop={_scheme(address)}://…"
                )
        else:
            path = Path(address).expanduser().absolute()
            name, address = name or path.stem, _file_url(path)
        if name in urls:
            raise RequestError(f"two databases are called {name}", hint=f"give one another name: other={address}")
        urls[name] = address
    return urls


def _is_url(address: str) -> bool:
    return "://" in address or address.startswith(("env:", "file:"))


def _scheme(address: str) -> str:
    return address.partition("://")[0]


def _file_url(path: Path) -> str:
    if not path.is_file():
        raise RequestError(f"there is no file {path}", hint="name a DuckDB or SQLite file, or a URL")
    with path.open("rb") as file:
        backend = "sqlite" if file.read(len(SQLITE_HEADER)) == SQLITE_HEADER else "duckdb"
    return f"{backend}:///{path}"
