"""Ctrl-C stops the statement during which it was pressed, and no other."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest
from quackllm.udf.session.interrupts import on_interrupt


def test_ctrl_c_is_heard_by_the_statement_during_which_it_was_pressed() -> None:
    stopped = threading.Event()
    with on_interrupt(stopped.set):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stopped.wait(10)


def test_ctrl_c_stops_no_later_statement_however_late_it_is_heard() -> None:
    stopped: list[str] = []
    with on_interrupt(lambda: stopped.append("warm")):  # The listening thread is there.
        pass
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1.0)  # It does not get to hear of the signal before this thread sleeps.
    try:
        with pytest.raises(KeyboardInterrupt), on_interrupt(lambda: stopped.append("first")):
            signal.raise_signal(signal.SIGINT)
        with on_interrupt(lambda: stopped.append("next")):
            time.sleep(0.2)
    finally:
        sys.setswitchinterval(interval)
    assert "next" not in stopped
