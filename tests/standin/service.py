"""A stand-in for two LLM services on loopback: OpenAI's wire and DashScope's own, with faults on demand.

    python tests/standin/service.py --port 0 [--latency 0.1] [--sigma 0.5] [--api-key k]

prints one line of JSON with its port when it listens. It is no language model: it repeats what it was
asked. `/admin/script` takes a list of faults (`standin_faults.py`), `/admin/requests` gives what came in.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import time
from collections import deque
from itertools import count
from typing import Any

from aiohttp import web
from standin_answers import answer_to, json_answer, text_of
from standin_batches import Batches
from standin_faults import REFUSALS, Fault
from standin_wires import Answer, DashscopeWire, OpenAIWire, prompt_tokens

Wire = OpenAIWire | DashscopeWire
KEPT = 20_000


class Service:
    """What came in, what is under way, and the faults that wait."""

    def __init__(self, latency: float, sigma: float, api_key: str | None) -> None:
        self.base = Fault("slow", seconds=latency, sigma=sigma) if latency else None
        self.api_key = api_key
        self.random = random.Random(0)
        self.numbers = count(1)
        self.batches = Batches()
        self.reset()

    def reset(self) -> None:
        """Forget the requests and the script."""
        self.faults: list[Fault] = []
        self.batches.reset()
        self.received: deque[tuple[str, dict[str, str], bytes]] = deque(maxlen=KEPT)
        self.answered_at: deque[float] = deque(maxlen=KEPT)
        self.count = self.under_way = self.most_at_once = self.input_tokens = self.output_tokens = 0

    async def answer(self, request: web.Request, wire: Wire, embedding: bool = False) -> web.StreamResponse:
        """Answer one request the way the script says."""
        raw = await request.read()
        self.received.append((request.path, dict(request.headers), raw))
        self.count += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            response = await Call(self, request, wire, json.loads(raw), embedding).reply()
            await response.prepare(request)
            await response.write_eof()
            self.answered_at.append(time.monotonic())
            return response
        finally:
            self.under_way = max(0, self.under_way - 1)


class Call:
    """One request on its way to a reply."""

    def __init__(self, service: Service, request: web.Request, wire: Wire, body: dict[str, Any], embedding: bool):
        self.service, self.request, self.wire, self.body, self.embedding = service, request, wire, body, embedding
        self.id = f"request-{next(service.numbers)}"
        self.model = body["model"]
        self.key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.streamed = bool(body.get("stream")) or request.headers.get("X-DashScope-SSE") == "enable"
        self.piece_seconds = 0.0

    async def reply(self) -> web.StreamResponse:
        """Wait where the script says so, then answer or fail."""
        fault = await self._find_fault()
        if fault is None and self.service.api_key not in (None, self.key):
            fault = Fault("wrong_key")
        if fault is None and self.model == "no-such-model":
            fault = Fault("unknown_model")
        if fault is not None and fault.fault in REFUSALS:
            return self._refusal(fault)
        kind = fault.fault if fault else ""
        if kind == "hang":
            await asyncio.sleep(3600)
        if kind == "drop":
            return self._drop()
        if self.embedding:
            return await self._send(self.wire.vectors(self.wire.texts(self.body), self.model, self.id), kind)
        return await self._stream(fault) if self.streamed else await self._whole(fault)

    async def _find_fault(self) -> Fault | None:
        service = self.service
        if service.base:
            await self._wait(service.base)
        if not service.faults:
            return None
        texts = self.wire.texts(self.body) if self.embedding else self._texts()
        for fault in service.faults:
            options = {} if self.embedding else self.wire.options(self.body)
            if fault.option in ("", *options) and fault.takes("\n".join(texts), self.key, service.under_way):
                if fault.fault != "slow":
                    return fault
                await self._wait(fault)
        return None

    async def _wait(self, fault: Fault) -> None:
        self.piece_seconds = fault.piece_seconds
        await asyncio.sleep(fault.seconds * self.service.random.lognormvariate(0, fault.sigma))

    def _texts(self) -> list[str]:
        return [text_of(message["content"]) for message in self.wire.messages(self.body)]

    def _answer(self, fault: Fault | None) -> Answer:
        messages = self.wire.messages(self.body)
        if fault and fault.fault == "reply":
            text = answer_to(messages) if fault.text is None else fault.text
            asked = self.wire.options(self.body).get("logprobs")
            answer = Answer(
                text, fault.finish_reason, fault.reasoning, fault.tool_calls, fault.logprobs if asked else None
            )
        elif fault and fault.fault == "filter":
            answer = Answer("", "content_filter")
        elif fault and fault.fault == "empty_content":
            answer = Answer(None)
        else:
            answer = self._plain_answer(messages, cut=bool(fault and fault.fault == "length"))
        answer.input_tokens = prompt_tokens(messages)
        self.service.input_tokens += answer.input_tokens
        self.service.output_tokens += answer.output_tokens
        return answer

    def _plain_answer(self, messages: list[dict[str, Any]], cut: bool) -> Answer:
        options = self.wire.options(self.body)
        text = answer_to(messages)
        wanted = options.get("response_format") or {}
        if wanted.get("type") in ("json_object", "json_schema"):
            text = json_answer(text, (wanted.get("json_schema") or {}).get("schema"))
        limit = (options.get("max_tokens") or 10**9) * 4
        if len(text) > limit:
            text, cut = text[:limit], True
        return Answer(text[: len(text) // 2 + 1] if cut and len(text) < limit else text, "length" if cut else "stop")

    async def _whole(self, fault: Fault | None) -> web.StreamResponse:
        kind = fault.fault if fault else ""
        body = self.wire.whole(self._answer(fault), self.model, self.id, choices=kind != "empty_choice")
        return await self._send(body, kind)

    async def _send(self, body: dict[str, Any], kind: str) -> web.StreamResponse:
        if kind == "drop_midway":
            return await self._drop_midway(json.dumps(body).encode())
        if kind == "half_json":
            text = json.dumps(body)
            return self._json(text[: len(text) // 2])
        return self._json(body)

    async def _stream(self, fault: Fault | None) -> web.StreamResponse:
        kind = fault.fault if fault else ""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream;charset=UTF-8", **self._ids()})
        events = self.wire.events(self._answer(fault), self.model, self.id, self.body)
        if kind == "empty_choice":
            events = events[-1:] if self.wire.name == "openai" else []
        if kind == "half_json":
            events[1] = events[1][: len(events[1]) // 2] + b"\n\n"
        await response.prepare(self.request)
        for number, event in enumerate(events):
            await response.write(event)
            if kind == "drop_midway" and number == 1:
                return self._drop(response)
            if self.piece_seconds:
                await asyncio.sleep(self.piece_seconds)
        await response.write_eof()
        return response

    async def _drop_midway(self, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
        await response.prepare(self.request)
        await response.write(body[: len(body) // 2])
        return self._drop(response)

    def _drop(self, response: web.StreamResponse | None = None) -> web.StreamResponse:
        if self.request.transport:
            self.request.transport.close()
        return response or web.Response()

    def _refusal(self, fault: Fault) -> web.Response:
        status, code, message = REFUSALS[fault.fault][self.wire.name]
        status, code, message = fault.status or status, fault.code or code, fault.message or message
        message = message.replace("{key}", self.key).replace("{model}", self.model)
        headers = {}
        if fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        if fault.retry_after_ms is not None:
            headers["Retry-After-Ms"] = str(fault.retry_after_ms)
        body = self.wire.error(code, message, self.id)
        if self.streamed and isinstance(self.wire, DashscopeWire):
            event = self.wire.event(1, "error", status, body)
            return web.Response(body=event, status=status, headers=headers, content_type="text/event-stream")
        return self._json(body, status, headers)

    def _ids(self) -> dict[str, str]:
        return {"X-Request-Id": self.id}

    def _json(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {**self._ids(), **(headers or {})}
        return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def application(service: Service) -> web.Application:
    """Return the routes of both wires, and the admin's."""
    openai, dashscope = OpenAIWire(), DashscopeWire()

    def asked(wire: Wire, embedding: bool = False) -> Any:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await service.answer(request, wire, embedding)

        return handler

    async def models(request: web.Request) -> web.Response:
        model = {"id": "standin", "object": "model", "created": 0, "owned_by": "standin"}
        return web.json_response({"object": "list", "data": [model]})

    async def script(request: web.Request) -> web.Response:
        service.faults = [Fault(**fault) for fault in await request.json()]
        return web.json_response(len(service.faults))

    async def reset(request: web.Request) -> web.Response:
        service.reset()
        return web.json_response(None)

    async def requests(request: web.Request) -> web.Response:
        kept = [{"path": path, "headers": head, "body": json.loads(raw)} for path, head, raw in service.received]
        return web.json_response(kept)

    async def answered(request: web.Request) -> web.Response:
        before = float(request.query["before"])
        return web.json_response(sum(at < before for at in service.answered_at))

    async def state(request: web.Request) -> web.Response:
        names = ("count", "under_way", "most_at_once", "input_tokens", "output_tokens")
        return web.json_response({name: vars(service)[name] for name in names})

    app = web.Application(client_max_size=64 * 2**20)
    app.add_routes(service.batches.routes())
    app.add_routes(
        [
            web.post("/v1/chat/completions", asked(openai)),
            web.post("/v1/embeddings", asked(openai, embedding=True)),
            web.get("/v1/models", models),
            web.post("/api/v1/services/aigc/text-generation/generation", asked(dashscope)),
            web.post("/api/v1/services/aigc/multimodal-generation/generation", asked(dashscope)),
            web.post("/api/v1/services/embeddings/text-embedding/text-embedding", asked(dashscope, embedding=True)),
            web.post("/admin/script", script),
            web.post("/admin/reset", reset),
            web.get("/admin/requests", requests),
            web.get("/admin/answered", answered),
            web.get("/admin/state", state),
        ]
    )
    return app


async def serve(port: int, service: Service) -> None:
    """Listen on loopback until the process is ended."""
    runner = web.AppRunner(application(service), access_log=None, handle_signals=True, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="a stand-in for two LLM services, on loopback")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds an answer takes")
    parser.add_argument("--sigma", type=float, default=0.0, help="spread: the latency is a log-normal draw's median")
    parser.add_argument("--api-key", help="refuse any other key")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, web.GracefulExit):
        asyncio.run(serve(given.port, Service(given.latency, given.sigma, given.api_key)))


if __name__ == "__main__":
    main()
