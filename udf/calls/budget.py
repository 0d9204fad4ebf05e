"""What a statement has spent, and whether its budget allows further calls."""

from __future__ import annotations

from dataclasses import dataclass

from ...workers.errors import BudgetError
from ...workers.messages import Response, Usage
from ..settings import StatementOptions
from .prices import Price


@dataclass(slots=True)
class StatementUsage:
    """Counters of one statement's calls; the event loop writes them, and a dry run those that it found.

    `sent` counts calls sent to a worker; `answered` and `failed` count those that returned. `cached` counts answers
    found in the call store, once for each look-up. `joined` counts answers of calls that another statement paid for.
    `money` is None if no price of a called model is known.
    """

    sent: int = 0
    answered: int = 0
    failed: int = 0
    cached: int = 0
    joined: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    money: float | None = None

    @property
    def done(self) -> int:
        """The number of the statement's requests that have returned."""
        return self.answered + self.failed + self.joined

    def add(self, response: Response, price: Price | None) -> None:
        """Count a response that the statement paid for."""
        self.answered += response.is_complete
        self.failed += not response.is_complete
        self.input_tokens += response.usage.input_tokens
        self.output_tokens += response.usage.output_tokens
        if price:
            self.money = (self.money or 0.0) + price.cost(response.usage)

    def budget_error(self, options: StatementOptions) -> BudgetError | None:
        """Return the error that stops the statement, if one of its limits is reached."""
        tokens = self.input_tokens + self.output_tokens
        if (limit := options.llm_max_calls) is not None and self.sent >= limit:
            return _reached("llm_max_calls", limit, self.sent, "calls")
        if (limit := options.llm_max_tokens) is not None and tokens >= limit:
            return _reached("llm_max_tokens", limit, tokens, "tokens")
        if (most := options.llm_max_money) is not None and (self.money or 0.0) >= most:
            return _reached("llm_max_money", most, self.money or 0.0, "of money")
        return None

    def budget_error_ahead(
        self, options: StatementOptions, calls: int, usage: Usage, price: Price | None
    ) -> BudgetError | None:
        """Return the error of calls that are sent all at once, if their estimate goes past one of the limits.

        Args:
            options: the limits.
            calls: how many.
            usage: the estimated tokens of all of them.
            price: of a token; None: it is unknown.
        """
        money = (self.money or 0.0) + (price.cost(usage) if price else 0.0)
        tokens = self.input_tokens + self.output_tokens + usage.input_tokens + usage.output_tokens
        for variable, value in (("calls", self.sent + calls), ("tokens", tokens), ("money", money)):
            limit = getattr(options, f"llm_max_{variable}")
            if limit is not None and value > limit:
                return BudgetError(
                    f"nothing was sent: it would take the statement to {value:,.4g} {variable}, and llm_max_{variable} "
                    f"is {limit:.12g}",
                    variable=f"llm_max_{variable}",
                    limit=limit,
                    spent=value,
                    hint=f"type: SET VARIABLE llm_max_{variable} = {value * 1.1:.4g}",
                )
        return None


def _reached(variable: str, limit: float, used: float, unit: str) -> BudgetError:
    raised = limit * 2 or 1000
    return BudgetError(
        f"the statement stopped at its budget {variable} = {limit:.12g}: it spent {used:,.12g} {unit}; "
        "the answers so far are stored",
        variable=variable,
        limit=limit,
        spent=used,
        hint=f"type: SET VARIABLE {variable} = {raised:.12g}   and run it again: it continues where it stopped",
    )
