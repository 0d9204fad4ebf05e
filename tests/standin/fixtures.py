"""Fixtures: a stand-in service in a process of its own, shared by the whole run and reset for each test."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("service.py")
KEY = "sk-standin-0123456789"


class StandIn:
    """A running stand-in service, seen from a test."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.openai_url = f"{self.url}/v1"
        self.dashscope_url = f"{self.url}/api/v1"

    def openai_params(self, **more: Any) -> dict[str, Any]:
        """The `infer_params` that reach its OpenAI wire; dots in `more` are written `__`."""
        return self._params(self.openai_url, more)

    def dashscope_params(self, **more: Any) -> dict[str, Any]:
        """The `infer_params` that reach its DashScope wire."""
        return self._params(self.dashscope_url, more)

    def _params(self, url: str, more: dict[str, Any]) -> dict[str, Any]:
        params = {"saas.base_url": url, "saas.api_key": KEY, "saas.model": "standin"}
        return {**params, **{name.replace("__", "."): value for name, value in more.items()}}

    def script(self, faults: list[dict[str, Any]]) -> None:
        """Show these faults from now on, in place of any before: `[{"fault": "rate_limit", "times": 2}]`."""
        self._call("/admin/script", faults)

    def reset(self) -> None:
        """Forget the script and what came in."""
        self._call("/admin/reset", {})

    def requests(self) -> list[dict[str, Any]]:
        """What came in, oldest first: path, headers, body of each."""
        requests: list[dict[str, Any]] = self._call("/admin/requests")
        return requests

    def prompts(self) -> list[str]:
        """The last message of each chat request that came in."""
        bodies = [request["body"] for request in self.requests() if "embedding" not in request["path"]]
        messages = [body["messages"] if "messages" in body else body["input"]["messages"] for body in bodies]
        return [conversation[-1]["content"] for conversation in messages]

    def script_batches(self, **script: Any) -> None:
        """Say what happens to batches from now on: the fields of `standin_batches.Script`."""
        self._call("/admin/batches", script)

    def hurry_batches(self) -> None:
        """Let every batch end when it is looked at next."""
        self._call("/admin/batches/hurry", {})

    def batches(self) -> dict[str, Any]:
        """How often each request was `paid` for, how many a batch has (`sent`), and how many `batches` and `files`."""
        state: dict[str, Any] = self._call("/admin/batches")
        return state

    def count(self) -> int:
        """How many requests came in."""
        return self.state()["count"]

    def most_at_once(self) -> int:
        """The most requests that were under way together."""
        return self.state()["most_at_once"]

    def state(self) -> dict[str, int]:
        """Both of these, how many are under_way now, and the input_tokens and output_tokens of the chat requests."""
        state: dict[str, int] = self._call("/admin/state")
        return state

    def answered(self, before: float) -> int:
        """How many of the last answers had been sent before this moment of the machine's monotonic clock."""
        answered: int = self._call(f"/admin/answered?before={before}")
        return answered

    def _call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as reply:
            return json.loads(reply.read())


@contextmanager
def running_service(*arguments: str) -> Iterator[StandIn]:
    """Run a stand-in with these command-line arguments, and end it afterwards."""
    command = [sys.executable, str(PROGRAM), "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        try:
            line = process.stdout.readline()
            assert line, "the stand-in service did not start; its words are above"
            yield StandIn(json.loads(line)["port"], process)
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def shared_service() -> Iterator[StandIn]:
    """One stand-in for the whole run; tests take `service`."""
    with running_service() as running:
        yield running


@pytest.fixture
def service(shared_service: StandIn) -> StandIn:
    """A stand-in service with nothing received and no faults."""
    shared_service.reset()
    return shared_service
