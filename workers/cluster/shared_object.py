"""One object for many: in a thread of this process, or in one actor for a whole cluster; both behind `await`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

from ..errors import StoreError

Shared = TypeVar("Shared")
Result = TypeVar("Result")
Given = ParamSpec("Given")
Run: TypeAlias = Callable[..., Awaitable[Any]]


class SharedObject(Generic[Shared]):
    """An object that lives elsewhere; `await shared.call(CallStore.get_many, keys)` calls its method there.

    Args:
        run: runs the named method with these arguments.
        close: lets go of the object.
    """

    def __init__(self, run: Run, close: Callable[[], None] = lambda: None) -> None:
        self._run = run
        self.close = close

    async def call(
        self, method: Callable[Concatenate[Shared, Given], Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Return what the object's method of that name returns.

        Raises:
            StoreError: the object cannot be reached, or failed.
        """
        result: Result = await self._run(method.__name__, *args, **kwargs)
        return result


def in_this_process(made: Shared) -> SharedObject[Shared]:
    """Share an object whose methods are so short that a hop to another thread would take longer."""

    async def run(method: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(made, method)(*args, **kwargs)

    close: Callable[[], None] = getattr(made, "close", lambda: None)
    return SharedObject(run, close)


def in_thread(make: Callable[[], Shared], name: str, failure: Callable[[Exception], Exception]) -> SharedObject[Shared]:
    """Share an object that a thread of its own makes at the first call, and alone uses.

    Args:
        make: makes the object, in that thread.
        name: of the thread.
        failure: turns what a method raised into what its caller gets.
    """
    thread = ThreadPoolExecutor(1, name)
    made: list[Shared] = []

    def work(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            if not made:
                made.append(make())
            return getattr(made[0], method)(*args, **kwargs)
        except Exception as error:
            raise failure(error) from error

    async def run(method: str, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(thread, work, method, args, kwargs)

    def close() -> None:
        if made:
            thread.submit(getattr(made[0], "close", lambda: None))
        thread.shutdown()

    return SharedObject(run, close)


def in_actor(actor: Any, what: str) -> SharedObject[Any]:
    """Share the object of a named actor; every call of it may be repeated, so that it outlives the actor's restart.

    Args:
        actor: its handle.
        what: it is, for errors.
    """
    from ray.exceptions import RayActorError, RayTaskError

    from .ray_fleet import ANSWER_SECONDS

    async def run(method: str, *args: Any, **kwargs: Any) -> Any:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await getattr(actor, method).remote(*args, **kwargs)
        except TimeoutError as error:
            hint = "is its head running? Type: ray status"
            raise StoreError(f"the {what} does not answer", hint=hint) from error
        except (RayTaskError, RayActorError) as error:
            if isinstance(cause := getattr(error, "cause", None), StoreError):
                raise cause from error
            raise StoreError(f"the {what} failed: {getattr(error, 'cause', error)}") from error

    return SharedObject(run)
