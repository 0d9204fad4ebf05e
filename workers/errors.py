"""Every error that quackllm raises, drawn as one tree.

QuackLLMError
├── SetupError            no row can succeed: the statement stops at once
│   ├── UnknownModelError     the name is not deployed
│   ├── DeployError           an engine did not start
│   ├── MissingExtraError     an optional package is not installed
│   └── SchemaError           text2sql has no schema to read
├── RequestError          a request that cannot be read: unknown option, wrong type
├── ProviderError         an engine or service failed one request; becomes that row's `error`
├── TrainingError         a training run that cannot start or resume, or data without a usable example
├── ExportError           a model that cannot be written in the form asked for
├── GuardError            generated SQL that may not run
├── Text2SQLError         a question without an answer, where there is no row to hold it (`ask`)
├── TimeLimitError        `ask` exceeded its time limit
├── MemoryLimitError      `ask` exceeded its memory limit
├── SandboxLimitError     what the sandbox computed exceeded its memory, time or size limit
├── BudgetError           a statement has used up the calls, tokens or money that it was given
├── BatchPendingError     a statement needs answers of a batch that has not ended
├── DatabaseError         a database cannot be reached, or refuses a statement
├── CancelledError        a statement was interrupted; its user sees KeyboardInterrupt or DuckDB's InterruptException
└── StoreError            the call store cannot be used
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Literal


class QuackLLMError(Exception):
    """The root: a message that says what happened and a hint that says what to type."""

    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions with keyword-only fields do not pickle by themselves, and these cross to and from Ray workers.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(error_type: type[QuackLLMError], args: tuple[Any, ...], fields: dict[str, Any]) -> QuackLLMError:
    error = error_type.__new__(error_type, *args)
    Exception.__init__(error, *args)
    error.__dict__.update(fields)
    return error


class SetupError(QuackLLMError):
    """No row of the statement can succeed; `code` is the provider's own, where it refused."""

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class UnknownModelError(SetupError):
    """The model's name is not deployed."""


class DeployError(SetupError):
    """An engine did not start; nothing of it was left behind."""


class MissingExtraError(SetupError):
    """An optional package is needed; the hint says what to install."""


class SchemaError(SetupError):
    """text2sql has no schema, or one that cannot be read."""


class RequestError(QuackLLMError):
    """A request that cannot be read."""


class TrainingError(QuackLLMError):
    """A training run cannot start or resume; its folder does not look finished."""


class ExportError(QuackLLMError):
    """A model cannot be written in the requested format; no incomplete file is left."""


class ProviderError(QuackLLMError):
    """An engine or service did not answer one request.

    Args:
        message: the provider's.
        code: the provider's own code, e.g. 'Throttling.RateQuota'.
        retryable: whether the same request may succeed later.
        retry_after_seconds: the wait that the provider requires; None: it gave none.
        setup: no request can succeed (a wrong key, an unknown model): stop the statement.
        finish_reason: 'error', or 'filter' where the provider refused the content.
        status: the HTTP status of the provider's refusal, where there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
        setup: bool = False,
        finish_reason: Literal["error", "filter"] = "error",
        status: int | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.setup = setup
        self.finish_reason: Literal["error", "filter"] = finish_reason
        self.status = status


class GuardError(QuackLLMError):
    """Generated SQL that may not run: more than one SELECT, or something that a SELECT should not reach."""


class Text2SQLError(QuackLLMError):
    """A question that got no SQL."""


class TimeLimitError(QuackLLMError):
    """A statement that `ask` runs exceeded its time limit."""


class MemoryLimitError(QuackLLMError):
    """A statement that `ask` runs exceeded its memory limit."""


class SandboxLimitError(QuackLLMError):
    """What a sandbox computed was ended by its limits.

    Args:
        limit: what was reached: 'memory', 'time', or 'size' of the result.
        stopped: whether the process went on; False where nothing but its end stopped the work.
    """

    def __init__(
        self, message: str, *, limit: Literal["memory", "time", "size"], stopped: bool = True, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.limit: Literal["memory", "time", "size"] = limit
        self.stopped = stopped


class BudgetError(QuackLLMError):
    """A statement has used up its budget; the answers that it paid for are in the call store.

    Args:
        variable: what sets the limit: 'llm_max_calls', 'llm_max_tokens' or 'llm_max_money'.
        limit: of the statement.
        spent: used so far, in the same unit.
    """

    def __init__(self, message: str, *, variable: str, limit: float, spent: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.variable = variable
        self.limit = limit
        self.spent = spent


class BatchPendingError(QuackLLMError):
    """A statement needs answers of a batch that the service has not ended; the batch goes on without this process."""

    retryable = True


class DatabaseError(QuackLLMError):
    """A database cannot be reached, or refuses a statement; the message is the database's."""


class CancelledError(QuackLLMError):
    """A statement was interrupted during a call of a model."""


class StoreError(QuackLLMError):
    """The call store cannot be opened or written."""


def cluster_option(cluster: str | None) -> str:
    """Return how a command ends that is about the models of a cluster; '' for those of this process."""
    return f" --cluster {cluster}" if cluster else ""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a hint with the names that are similar, or with all names."""
    names = sorted(names)
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(n) for n in near)}?"
    return f"there is: {', '.join(names)}" if names else ""
