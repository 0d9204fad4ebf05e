"""quackllm: LLM functions inside DuckDB, answered by named Ray actors.

The public face is listed in `__all__`; each name is loaded when it is first used, so that
`import quackllm` costs next to nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .udf.connection import Connection, connect, estimate, register
    from .udf.frames import ai
    from .udf.session.statement import FailedRowsWarning
    from .workers import deploy, models, scale, status, undeploy
    from .workers.deployments.spec import ModelSpec
    from .workers.errors import QuackLLMError
    from .workers.messages import Failure, Message, Request, Response, Usage

__version__ = "0.1.0"

# In a checkout the four folders lie at its root, in a wheel inside of this package.
if not os.path.isdir(os.path.join(__path__[0], "udf")):
    __path__.append(os.path.dirname(os.path.dirname(__path__[0])))

from .workers.lazy_exports import lazy_exports

_MODULES = {
    "Connection": "udf.connection",
    "connect": "udf.connection",
    "estimate": "udf.connection",
    "register": "udf.connection",
    "ai": "udf.frames",
    "deploy": "workers",
    "models": "workers",
    "scale": "workers",
    "status": "workers",
    "undeploy": "workers",
    "FailedRowsWarning": "udf.session.statement",
    "QuackLLMError": "workers.errors",
    "ModelSpec": "workers.deployments.spec",
    "Failure": "workers.messages",
    "Message": "workers.messages",
    "Request": "workers.messages",
    "Response": "workers.messages",
    "Usage": "workers.messages",
}

__all__ = [
    "Connection",
    "FailedRowsWarning",
    "Failure",
    "Message",
    "ModelSpec",
    "QuackLLMError",
    "Request",
    "Response",
    "Usage",
    "ai",
    "connect",
    "deploy",
    "estimate",
    "models",
    "register",
    "scale",
    "status",
    "undeploy",
]


__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
