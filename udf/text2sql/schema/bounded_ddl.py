"""Reads DDL in the sandbox, because its views and defaults may make binding arbitrarily expensive."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from ....workers.errors import SandboxLimitError, SchemaError
from ....workers.sandbox import SandboxLimits
from ..checks.check_answer import SANDBOX
from . import ddl
from .ddl import Ddl

LIMITS = SandboxLimits(megabytes=512, seconds=5.0)


def read_ddl(text: str) -> Ddl:
    """Return the schema of a DDL text; see `ddl.read_ddl`.

    Raises:
        SchemaError: reading it exceeds the limits of memory or time.
    """
    if isinstance(found := _read(text), Ddl):
        return found
    raise SchemaError(
        f"the schema cannot be read within {found}", hint="give the CREATE TABLEs that the question is about"
    )


@lru_cache(maxsize=64)
def _read(text: str) -> Ddl | str:
    """Return the schema, or the limit that it exceeds; cached, because a statement may need it several times."""
    try:
        return msgspec.convert(SANDBOX.call(plain_ddl, text, limits=LIMITS), Ddl)
    except SandboxLimitError as error:
        return f"{LIMITS.seconds:g} s" if error.limit == "time" else f"{LIMITS.megabytes} MB"


def plain_ddl(text: str) -> Any:
    """Return the result of `ddl.read_ddl` as plain values, for the pipe."""
    return msgspec.to_builtins(ddl.read_ddl(text))
