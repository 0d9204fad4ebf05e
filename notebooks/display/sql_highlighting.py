"""SQL in the colors of the page's theme."""

from __future__ import annotations

from typing import ClassVar

import sqlparse
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.sql import SqlLexer
from pygments.style import Style
from pygments.token import Comment, Keyword, Number, String

MAX_LINE_CHARACTERS = 80
# Pygments takes hexadecimal colors only: these are placeholders for the theme's.
THEME = {
    "#010101": "var(--jp-mirror-editor-keyword-color, var(--vscode-symbolIcon-keywordForeground, #1e88e5))",
    "#020202": "var(--jp-mirror-editor-string-color, var(--vscode-debugTokenExpression-string, #d9534f))",
    "#030303": "var(--jp-mirror-editor-number-color, var(--vscode-debugTokenExpression-number, #43a047))",
    "#040404": "var(--jp-mirror-editor-comment-color, #888888)",
}


class PlaceholderStyle(Style):  # type: ignore[misc]
    """Marks the tokens that get a color; all others keep the page's own."""

    styles: ClassVar = {Keyword: "bold #010101", String: "#020202", Number: "#030303", Comment: "italic #040404"}


def format_sql(sql: str) -> str:
    """Return a long statement with a line for each clause; only white space changes."""
    return sqlparse.format(sql, reindent=True, indent_width=4) if len(sql) > MAX_LINE_CHARACTERS else sql


def highlight_sql(sql: str) -> str:
    """Return SQL as HTML."""
    html: str = highlight(sql, SqlLexer(), HtmlFormatter(nowrap=True, noclasses=True, style=PlaceholderStyle))
    for placeholder, color in THEME.items():
        html = html.replace(f'<span style="color: {placeholder}', f'<span style="color: {color}')
    return html
