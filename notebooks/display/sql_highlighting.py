"""SQL in the colours that the page's theme has for code."""

from __future__ import annotations

from typing import ClassVar

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.sql import SqlLexer
from pygments.style import Style
from pygments.token import Comment, Keyword, Number, String

THEME = {
    "#010101": "var(--jp-mirror-editor-keyword-color, var(--vscode-symbolIcon-keywordForeground, #1e88e5))",
    "#020202": "var(--jp-mirror-editor-string-color, var(--vscode-debugTokenExpression-string, #d9534f))",
    "#030303": "var(--jp-mirror-editor-number-color, var(--vscode-debugTokenExpression-number, #43a047))",
    "#040404": "var(--jp-mirror-editor-comment-color, #888888)",
}
"""Colours that Pygments takes, which knows hexadecimal ones alone, and what they stand for."""


class PlaceholderStyle(Style):  # type: ignore[misc]
    """Marks what has a colour; everything else keeps the page's own."""

    styles: ClassVar = {Keyword: "bold #010101", String: "#020202", Number: "#030303", Comment: "italic #040404"}


def highlight_sql(sql: str) -> str:
    """Return SQL as HTML."""
    html: str = highlight(sql, SqlLexer(), HtmlFormatter(nowrap=True, noclasses=True, style=PlaceholderStyle))
    for mark, colour in THEME.items():
        html = html.replace(f'<span style="color: {mark}', f'<span style="color: {colour}')
    return html
