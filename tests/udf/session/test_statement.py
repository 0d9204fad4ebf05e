"""A statement that waits."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from quackllm.udf.session.statement import Statement
from quackllm.workers.errors import CancelledError


def test_a_time_limit_of_the_work_itself_is_raised_and_not_waited_over():
    work: Future[None] = Future()
    work.set_exception(TimeoutError("the work's own"))
    with pytest.raises(TimeoutError, match="the work's own"):
        Statement().wait(work)


def test_a_cancelled_statement_takes_its_work_back():
    work: Future[None] = Future()
    statement = Statement()
    statement.cancel()
    with pytest.raises(CancelledError):
        statement.wait(work)
    assert work.cancelled()
