"""The scope of calls: on whose behalf they are made, and what may be spent on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property

from ...workers.messages import Response
from ..settings import StatementOptions, load_settings
from .answer_cache import AnswerCache
from .budget import StatementUsage
from .request_key import Key


class CallScope:
    """One SQL statement, one streamed answer or one HTTP request, as the calls made for it see it.

    `uncached_responses` holds, by key, responses that the call store does not have: failures always, so that a row
    that is evaluated twice is sent once, and answers where the store is off. `queue_slots` holds, by model, the room
    for requests that wait for a worker.

    Args:
        load_options: reads the options when they are first needed.
    """

    def __init__(self, load_options: Callable[[], StatementOptions] = load_settings) -> None:
        self.load_options = load_options
        self.usage = StatementUsage()
        self.answers = AnswerCache()
        self.uncached_responses: dict[Key, Response] = {}
        self.stops_calls = False
        """Whether calls that were sent are stopped when it stops waiting, in place of landing in the call store."""
        self.queue_slots: dict[str, asyncio.Semaphore] = {}

    @cached_property
    def options(self) -> StatementOptions:
        """What its user allows: budgets, progress, the use of the call store.

        Raises:
            RequestError, SetupError: an option cannot be read.
        """
        return self.load_options()
