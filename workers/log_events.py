"""Logs for programs: a line of JSON per event, without prompts and answers unless they are enabled."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from .messages import Request, Response

LOG = logging.getLogger("quackllm")
LEVEL = "QUACKLLM_LOG"  # Environment variable: debug (each answer), info (failures, starts and ends), warning or error.
PROMPTS = "QUACKLLM_LOG_PROMPTS"  # Environment variable: 1 also logs prompts, answers and providers' messages.


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = record.__dict__.get("fields", {})
        line = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **fields}
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging() -> None:
    """Write our logs to standard error, as JSON lines, from the level in the environment."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    LOG.handlers = [handler]
    LOG.propagate = False
    LOG.setLevel(os.environ.get(LEVEL, "info").upper())


def log_event(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields."""
    if LOG.isEnabledFor(level):
        LOG.log(level, event, extra={"fields": fields})


def log_answer(request: Request, response: Response) -> None:
    """Log how a request ended; what succeeded at the level of debugging only."""
    level = logging.DEBUG if response.is_complete else logging.INFO
    if not LOG.isEnabledFor(level):
        return
    usage, error = response.usage, response.error
    fields = {
        "model": response.model,
        "outcome": response.finish_reason,
        "code": error.code if error else None,
        "seconds": round(response.seconds, 3),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "request_id": response.request_id,
    }
    if os.environ.get(PROMPTS) == "1":
        fields |= {"prompt": request.messages[-1].content if request.messages else None, "output": response.output}
        fields |= {"message": error.message if error else None}
    log_event("answered" if response.is_complete else "failed", level, **fields)
