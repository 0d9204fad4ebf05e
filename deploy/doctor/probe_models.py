"""One small request to each model: the only way to know that its key is right."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

from ...udf.connection import connect
from ...udf.session.statement import FailedRowsWarning
from ...workers.deployments.spec import ModelSpec
from ...workers.errors import QuackLLMError
from .finding import Finding

QUESTION = "SELECT llm_chat($model, llm_param({'instruction': 'Say OK.', 'max_tokens': 5}))"


def probe_models(specs: Iterable[ModelSpec], cluster: str | None) -> Iterator[Finding]:
    """Send each model a request of five tokens, without the call store."""
    with connect(cluster=cluster) as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedRowsWarning)
        connection.execute("SET VARIABLE llm_store = 'off'")
        for spec in specs:
            if spec.type.startswith("builtin/"):  # It answers questions about a database only.
                continue
            try:
                ((response,),) = connection.execute(QUESTION, {"model": spec.name}).fetchall()
            except QuackLLMError as error:
                fix = error.hint or f"export its key, or quackllm deploy {spec.name} {spec.type} … with another"
                yield Finding(spec.name, "broken", f"test request: {error.message}", fix)
                continue
            failure = response["error"]
            if failure and response["finish_reason"] != "length":
                message = f"test request: {failure['code']}: {failure['message']}"
                yield Finding(spec.name, "broken", message, "see docs/errors.md")
            else:
                yield Finding(spec.name, "ok", f"it answered a test request in {response['seconds']:.1f} s")
