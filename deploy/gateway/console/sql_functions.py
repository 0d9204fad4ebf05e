"""The functions of ours that a statement of the console may call: those that ask models; not questions, which `Ask`
takes, and nothing that reads or deletes what others have asked."""

from __future__ import annotations

import re
from collections.abc import Collection

from ....udf.functions.macros import SCALAR

MAKE_REQUESTS = frozenset({"llm_param", "llm_stack", "llm_result"})
SQL_FUNCTIONS = frozenset(name for name in SCALAR if name.startswith(("llm_", "ai_")) and name != "llm_forget")


def calls_models(sql: str, models: Collection[str]) -> bool:
    """Whether a statement may call a model; a word in a text may look like it.

    Args:
        sql: the statement.
        models: the names of the models, each of which is a function.
    """
    names = "|".join(map(re.escape, (*(SQL_FUNCTIONS - MAKE_REQUESTS), *models)))
    return re.search(rf'\b({names})"?\s*\(', sql, re.IGNORECASE) is not None
