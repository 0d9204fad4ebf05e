"""Names and texts as SQL writes them, whatever they hold."""

from __future__ import annotations


def quote_identifier(name: str) -> str:
    """Return the name of a table or column in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return a text as a SQL literal, in single quotes."""
    return "'" + text.replace("'", "''") + "'"
