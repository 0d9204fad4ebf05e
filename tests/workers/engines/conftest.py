"""What the tests of the local engines share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def run(make_engine: Callable[..., Any]) -> Run:
    """Give what starts an engine (of the module's `make_engine`), runs some work with it, and closes it."""

    def run(path: Path | str, work: Callable[[Any], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
        async def main() -> Any:
            engine = make_engine(str(path), **settings)
            try:
                await engine.start()
                return await work(engine)
            finally:
                await engine.close()

        return asyncio.run(main())

    return run
