"""An answer that is read while it grows, outside a statement: in a notebook's cell or a terminal."""

from __future__ import annotations

import contextlib
import functools
import queue
from collections.abc import Iterator
from concurrent.futures import Future

from ..workers import event_loop
from ..workers.messages import Failure, Request, Response
from ..workers.serving.worker import FAILURE_TEXTS
from .calls.scope import CallScope
from .connection import Connection
from .session.session import find_session
from .settings import StoreMode
from .variables import options_from_variables, read_variables


class StreamedAnswer:
    """One answer, for a thread to iterate over: pieces of text, and the whole Response last.

    The request is sent at once. A cached answer arrives in one piece; a complete answer is stored in the call store.
    The connection's budget applies.

    Args:
        connection: whose models, store and budget.
        request: the request.
        model: the model's name; None: the connection's default.
        store: as for a statement: 'on', 'off' or 'refresh'.

    Raises:
        UnknownModelError: the model is not deployed, or there are several and no default.
        RequestError: a variable of the connection has a wrong value.
    """

    def __init__(
        self, connection: Connection, request: Request, model: str | None = None, store: StoreMode = "on"
    ) -> None:
        session = find_session(connection)
        self.spec = session.model_for(model)
        self.request = request
        self.output = ""
        self.response: Response | None = None
        self.scope = CallScope(functools.partial(options_from_variables, read_variables(connection)))
        self._client, self._store = session.client, store
        self._chunks: queue.SimpleQueue[str | Response | BaseException] = queue.SimpleQueue()
        self._call = event_loop.submit(self._stream())
        self._call.add_done_callback(self._report_error)

    async def _stream(self) -> None:
        answer = self._client.stream(self.spec, self.request, self.scope, self._store)
        async with contextlib.aclosing(answer):
            async for chunk in answer:
                self._chunks.put(chunk)

    def _report_error(self, future: Future[None]) -> None:
        if not future.cancelled() and (error := future.exception()):
            self._chunks.put(error)

    def __iter__(self) -> Iterator[str | Response]:
        """Yield pieces of the output as they come, then the Response; its `error` says what failed.

        Raises:
            SetupError: no request can succeed.
            BudgetError: the connection's budget is spent.
        """
        while self.response is None:
            chunk = self._chunks.get()
            if isinstance(chunk, BaseException):
                raise chunk
            if isinstance(chunk, str):
                self.output += chunk
            else:
                self.response = chunk
            yield chunk

    def stop(self) -> Response:
        """Stop the engine; return what there is, with finish_reason 'cancelled' unless the answer was whole."""
        self._call.cancel()
        while self.response is None and not self._chunks.empty():
            chunk = self._chunks.get()
            if isinstance(chunk, str):
                self.output += chunk
            elif isinstance(chunk, Response):
                self.response = chunk
        self.response = self.response or Response(
            self.output or None,
            error=Failure("cancelled", FAILURE_TEXTS["cancelled"]),
            model=self.spec.name,
            history=self.request.messages[:-1],
            finish_reason="cancelled",
        )
        return self.response
