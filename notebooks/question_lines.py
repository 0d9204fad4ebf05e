"""A question on one line: `%chat Why?` is asked, where IPython would look up the help of `Why`."""

from __future__ import annotations

import re
import tokenize
from typing import Any

from IPython.core.inputtransformer2 import EscapedCommand

ASKS = re.compile(r"\s*%(chat|ask|text2sql)\s+\S")


class QuestionLine(EscapedCommand):  # type: ignore[misc]
    """Takes such a line as the magic that it is; `%chat?` alone stays the magic's help."""

    priority = 4
    """Before IPython's own `HelpEnd`, which takes every line that ends with a question mark."""

    @classmethod
    def find(cls, tokens_by_line: list[list[tokenize.TokenInfo]]) -> Any:
        """Return the first such line, where there is one; a line inside a string is none."""
        for line in tokens_by_line:
            code = [token for token in line if token.type not in (tokenize.INDENT, tokenize.DEDENT)]
            if code and code[0].string == "%" and ASKS.match(code[0].line):
                return cls(code[0].start)
        return None
