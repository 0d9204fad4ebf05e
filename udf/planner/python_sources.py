"""Tables of a statement that are Python objects: which of them can be read more than once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ..session.session import Session
from ..text2sql.schema.data_frames import caller_frame
from .statement_tree import Node, walk

REPEATABLE = frozenset({
    ("pyarrow", "Table"), ("pyarrow", "RecordBatch"), ("pyarrow", "Dataset"), ("pandas", "DataFrame"),
    ("polars", "DataFrame"), ("polars", "LazyFrame"),
})  # fmt: skip
"""The package and name of classes, or of their bases; an Arrow reader's rows are gone when they were read."""


def is_repeatable(python_object: Any) -> bool:
    """Whether reading the object leaves its rows in it."""
    return any((base.__module__.partition(".")[0], base.__name__) in REPEATABLE for base in type(python_object).__mro__)


def count_repeatable(tree: Node, stored: Collection[str], session: Session) -> int:
    """Return how many of the tables in a statement are Python objects that can be read again.

    Args:
        tree: the statement.
        stored: the names of its tables that are in a database.
        session: knows what was registered; other names are looked up as DuckDB does, in the caller's variables.
    """
    tables = [node["table_name"] for node in walk(tree) if node.get("type") == "BASE_TABLE"]
    names = [name for name in tables if name.lower() not in stored]
    return sum(name in session.repeatable_views or is_repeatable(next(_variables(name), None)) for name in names)


def _variables(name: str) -> Iterator[Any]:
    """Yield the values of a variable in the frames of the caller, the nearest first."""
    frame = caller_frame()
    while frame is not None:
        for variables in (frame.f_locals, frame.f_globals):
            if name in variables:
                yield variables[name]
        frame = frame.f_back
