"""Which names a model may have: they become SQL functions, so a keyword or a function that exists is refused."""

from __future__ import annotations

from functools import cache

import duckdb

from ..errors import RequestError

OWN_PREFIXES = ("llm_", "ai_", "quackllm", "text2sql")
OWN_NAMES = ("ask", "echo", "builtin_text2sql", "builtin_encoder")


def check_model_name(name: str) -> None:
    """Refuse a name that SQL, DuckDB or quackllm already uses.

    Raises:
        RequestError: the name is taken; the hint gives one that is not.
    """
    taken = _reserved_as(name)
    if taken:
        raise RequestError(
            f"a model cannot be called {name!r}: that is {taken}", hint=f"type another name: {name}_model"
        )


def _reserved_as(name: str) -> str | None:
    if name in OWN_NAMES or name.startswith(OWN_PREFIXES):
        return "a name of quackllm's own"
    keywords, functions = _names_in_duckdb()
    if name in keywords:
        return "a SQL keyword"
    return "a function of DuckDB" if name in functions else None


@cache
def _names_in_duckdb() -> tuple[frozenset[str], frozenset[str]]:
    with duckdb.connect() as throwaway:
        keywords = throwaway.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()
        functions = throwaway.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    return frozenset(name for (name,) in keywords), frozenset(name for (name,) in functions)
