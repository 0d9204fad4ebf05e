"""The protocol by which a statement gets answers to its requests; the planner implements it (`planner/modes.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Response
from ..settings import StoreMode

if TYPE_CHECKING:
    from ..accuracy.stand_in import StandIn
    from ..text2sql.result import QuestionKey, Text2SqlResult

MADE_UP = "made-up"
"""The `request_id` of a response that no model gave: an estimate answers with such, and nothing is read out of them."""


class AnswerSource(Protocol):
    """Returns the answers to the distinct requests of one chunk of rows; None for an answer that is missing so far."""

    def at_site(self, site: int) -> AnswerSource:
        """Return the answers for one numbered call site; by default the same object for each site."""
        return self

    def responses(self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode) -> Sequence[Response | None]:
        """Return one response for each request, in order.

        Args:
            spec: the model.
            requests: the distinct requests.
            mode: whether the call store is read and written.

        Raises:
            SetupError, StoreError, BudgetError: no further request can succeed.
        """

    def stated(self, call: Any, spec: ModelSpec, rows: Mapping[Request, Any]) -> Sequence[Response | StandIn | None]:
        """Return one answer for each request of a call with a stated accuracy, in order: the model's, if need be.

        Args:
            call: the planner's `StatedCall`.
            spec: the model.
            rows: the distinct requests, with the input of each.

        Raises:
            SetupError, StoreError, BudgetError: no further request can succeed.
        """
        return self.responses(spec, list(rows), call.mode)

    def sql_results(self, questions: Sequence[QuestionKey], mode: StoreMode) -> Sequence[Text2SqlResult | None]:
        """Return the generated SQL for each question, in order.

        Args:
            questions: the distinct questions.
            mode: whether the call store is read and written.

        Raises:
            SetupError, StoreError, BudgetError: no further question can succeed.
        """
