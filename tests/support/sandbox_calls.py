"""What the sandbox's tests run in its children."""

from __future__ import annotations

import os
import time
from typing import Any

from quackllm.workers.errors import GuardError
from quackllm.workers.sandbox import call_parent

WARM: list[int] = []


def warm_up() -> None:
    WARM.append(os.getpid())


def was_warmed() -> bool:
    return [os.getpid()] == WARM


def process() -> int:
    return os.getpid()


def values() -> Any:
    return (None, True, 10**30, 1.5, "é", b"\x00", [1, (2,)], {"a": {3}})


def an_object() -> Any:
    return GuardError


def allocate(megabytes: int) -> int:
    return len(bytearray(megabytes << 20))


def spin() -> None:
    while True:
        pass


def leave() -> None:
    os._exit(3)


def fail() -> None:
    raise GuardError("no", hint="write something else")


def divide() -> float:
    return 1 / 0


def sum_of_answers(count: int) -> int:
    return sum(call_parent(number) for number in range(count))


def sleep(seconds: float) -> None:
    time.sleep(seconds)
