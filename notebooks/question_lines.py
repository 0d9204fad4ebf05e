"""A question on one line: `%chat Why?` is a question, where IPython would show the help of `Why`."""

from __future__ import annotations

import re
import tokenize
from typing import Any

from IPython.core.inputtransformer2 import EscapedCommand

QUESTION_MAGIC = re.compile(r"\s*%(chat|ask|text2sql)\s+\S")


class QuestionLine(EscapedCommand):  # type: ignore[misc]
    """Reads such a line as a magic; `%chat?` alone stays the magic's help."""

    priority = 4
    """Before IPython's `HelpEnd`, which takes every line that ends with a question mark."""

    @classmethod
    def find(cls, tokens_by_line: list[list[tokenize.TokenInfo]]) -> Any:
        """Return the first such line, if any; a line inside a string does not count."""
        for line in tokens_by_line:
            code = [token for token in line if token.type not in (tokenize.INDENT, tokenize.DEDENT)]
            if code and code[0].string == "%" and QUESTION_MAGIC.match(code[0].line):
                return cls(code[0].start)
        return None
