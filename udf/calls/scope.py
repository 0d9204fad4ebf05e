"""The scope of calls: on whose behalf they are made, and how much they may cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property

from ...workers.errors import SetupError
from ...workers.messages import Response
from ..settings import StatementOptions, load_settings
from .budget import StatementUsage
from .request_key import Key
from .statement_cache import StatementCache


class CallScope:
    """The owner of calls: one SQL statement, one streamed answer or one HTTP request.

    `uncached_responses` holds, by key, responses that are not in the call store: failures, so that a row that DuckDB
    evaluates twice is sent once, and answers if the store is off. `queue_slots` limits, by model, the number of
    requests that wait for a worker. `setup_errors` says, by model, why none can succeed: DuckDB tries a call over
    constants several times, and the service is not asked again. `stops_calls` says whether calls in flight are
    cancelled when the scope stops waiting; otherwise their answers are stored when they arrive. `statement` is the SQL
    statement; '' if there is none.

    Args:
        load_options: reads the options; called when they are first needed.
    """

    def __init__(self, load_options: Callable[[], StatementOptions] = load_settings) -> None:
        self.load_options = load_options
        self.usage = StatementUsage()
        self.answers = StatementCache()
        self.uncached_responses: dict[Key, Response] = {}
        self.stops_calls = False
        self.statement = ""
        self.queue_slots: dict[str, asyncio.Semaphore] = {}
        self.setup_errors: dict[str, SetupError] = {}

    @cached_property
    def options(self) -> StatementOptions:
        """The user's options: budgets, progress, use of the call store.

        Raises:
            RequestError, SetupError: an option cannot be read.
        """
        return self.load_options()
