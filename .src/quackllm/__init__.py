"""quackllm: LLM functions inside DuckDB, answered by named Ray actors.

The public face is listed in `__all__`; each name is loaded when it is first used, so that
`import quackllm` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .udf.connection import Connection, connect, estimate, register
    from .workers import deploy, models, scale, status, undeploy
    from .workers.errors import QuackLLMError
    from .workers.spec import ModelSpec
    from .workers.values import Failure, Message, Request, Response, Usage

__version__ = "0.1.0"

_HOMES = {
    "Connection": "udf.connection",
    "connect": "udf.connection",
    "estimate": "udf.connection",
    "register": "udf.connection",
    "deploy": "workers",
    "models": "workers",
    "scale": "workers",
    "status": "workers",
    "undeploy": "workers",
    "QuackLLMError": "workers.errors",
    "ModelSpec": "workers.spec",
    "Failure": "workers.values",
    "Message": "workers.values",
    "Request": "workers.values",
    "Response": "workers.values",
    "Usage": "workers.values",
}

__all__ = [
    "Connection",
    "Failure",
    "Message",
    "ModelSpec",
    "QuackLLMError",
    "Request",
    "Response",
    "Usage",
    "connect",
    "deploy",
    "estimate",
    "models",
    "register",
    "scale",
    "status",
    "undeploy",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'quackllm' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
