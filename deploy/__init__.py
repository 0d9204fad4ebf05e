"""quackllm from outside Python: the command line, the gateway, batches."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _DeployModule(ModuleType):
    """`quackllm.deploy` is a function and this package; after an import of the package the function still works."""

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        from ..workers import deploy

        return deploy(*args, **kwargs)


sys.modules[__name__].__class__ = _DeployModule
