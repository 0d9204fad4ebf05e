"""The batch APIs of three vendors on the stand-in: files, batches, results, and what can go wrong with them.

Written from the vendors' public documentation, as `workers/engines/batch_api.py` names it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web
from standin_answers import answer_to
from standin_wires import Answer, OpenAIWire, prompt_tokens

WIRE = OpenAIWire()
# By the address that a vendor's batches are at: the path of the lines, and the least length of a `custom_id`.
VENDORS = {
    "/v1": ("/v1/chat/completions", 1),
    "/compatible-mode/v1": ("/v1/chat/completions", 1),
    "/api/paas/v4": ("/v4/chat/completions", 6),
}


@dataclass
class Batch:
    """One batch; `polls` is how often it is still looked at before it has ended."""

    id: str
    input_file: str
    polls: int
    status: str = "validating"
    output_file: str | None = None
    error_file: str | None = None
    total: int = 0
    done: int = 0
    errors: Any = None


@dataclass
class Script:
    """What happens: after how many looks a batch ends, which texts fail, after how many answers it expires."""

    polls: int = 1
    fail: list[str] = field(default_factory=list)
    expire_after: int | None = None
    lose_create: int = 0
    refuse: str = ""


class Batches:
    """Files and batches, in the order of their numbers."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.script = Script()
        self.files: dict[str, str] = {}
        self.batches: dict[str, Batch] = {}
        self.paid: Counter[str] = Counter()
        self.numbers = count(1)

    async def upload(self, request: web.Request) -> web.Response:
        """`POST /files`."""
        form = await request.post()
        if form.get("purpose") != "batch" or not isinstance(form.get("file"), web.FileField):
            return _refusal("purpose must be batch, with a file")
        name = f"file-batch-{next(self.numbers)}"
        self.files[name] = form["file"].file.read().decode()  # type: ignore[union-attr]
        return web.json_response({"id": name, "object": "file", "purpose": "batch", "status": "processed"})

    async def create(self, request: web.Request) -> web.Response:
        """`POST /batches`."""
        body = await request.json()
        endpoint, _ = VENDORS[request.path.removesuffix("/batches")]
        if body.get("endpoint") != endpoint or body.get("completion_window") != "24h":
            return _refusal(f"endpoint must be {endpoint}, completion_window 24h")
        if body.get("input_file_id") not in self.files:
            return _refusal("no such file")
        batch = Batch(f"batch_{next(self.numbers)}", body["input_file_id"], self.script.polls)
        self.batches[batch.id] = batch
        self._check(batch, endpoint, VENDORS[request.path.removesuffix("/batches")][1])
        if self.script.lose_create:
            self.script.lose_create -= 1
            assert request.transport
            request.transport.close()
        return web.json_response(self._shown(batch))

    async def listed(self, request: web.Request) -> web.Response:
        """`GET /batches`: the newest first."""
        data = [self._shown(batch) for batch in reversed(self.batches.values())]
        return web.json_response({"object": "list", "data": data[:20], "has_more": len(data) > 20})

    async def show(self, request: web.Request) -> web.Response:
        """`GET /batches/{id}`."""
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return _refusal("no such batch", 404)
        if batch.status in ("validating", "in_progress"):
            batch.polls -= 1
            batch.status = "in_progress"
            if batch.polls < 0:
                self._end(batch)
        return web.json_response(self._shown(batch))

    async def content(self, request: web.Request) -> web.Response:
        """`GET /files/{id}/content`."""
        text = self.files.get(request.match_info["id"])
        return _refusal("no such file", 404) if text is None else web.Response(text=text)

    async def set_script(self, request: web.Request) -> web.Response:
        """`POST /admin/batches`."""
        self.script = Script(**await request.json())
        return web.json_response(None)

    async def hurry(self, request: web.Request) -> web.Response:
        """`POST /admin/batches/hurry`: every batch ends when it is looked at next."""
        for batch in self.batches.values():
            batch.polls = 0
        return web.json_response(None)

    async def state(self, request: web.Request) -> web.Response:
        """`GET /admin/batches`: how often each request was paid for, and how many requests each batch has."""
        sent = [len(self._lines(batch)) for batch in self.batches.values()]
        return web.json_response(
            {"paid": self.paid, "sent": sent, "batches": len(self.batches), "files": len(self.files)}
        )

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all vendors, and the admin's."""
        admin = [web.post("/admin/batches", self.set_script), web.get("/admin/batches", self.state)]
        admin.append(web.post("/admin/batches/hurry", self.hurry))
        return admin + [
            route
            for base in VENDORS
            for route in (
                web.post(f"{base}/files", self.upload),
                web.post(f"{base}/batches", self.create),
                web.get(f"{base}/batches", self.listed),
                web.get(f"{base}/batches/{{id}}", self.show),
                web.get(f"{base}/files/{{id}}/content", self.content),
            )
        ]

    def _check(self, batch: Batch, endpoint: str, least: int) -> None:
        lines = self._lines(batch)
        names = [line["custom_id"] for line in lines]
        wrong = len({*names}) < len(names) or any(not least <= len(name) <= 64 for name in names)
        models = {line["body"]["model"] for line in lines}
        if wrong or len(models) != 1 or any(line["url"] != endpoint or line["method"] != "POST" for line in lines):
            self.script.refuse = self.script.refuse or "the file is invalid"
        batch.total = len(lines)
        if self.script.refuse:
            batch.status, batch.errors = "failed", {"data": [{"message": self.script.refuse}]}

    def _end(self, batch: Batch) -> None:
        output, errors = [], []
        for line in self._lines(batch):
            messages, name = line["body"]["messages"], line["custom_id"]
            text = messages[-1]["content"]
            head = {"id": f"batch_req_{name}", "custom_id": name}
            if self.script.expire_after is not None and len(output) >= self.script.expire_after:
                error = {"code": "batch_expired", "message": "This request could not be executed in time."}
                errors.append({**head, "response": None, "error": error})
            elif any(marker in text for marker in self.script.fail):
                body = {
                    "error": {"message": "content refused", "code": "invalid_prompt", "type": "invalid_request_error"}
                }
                errors.append(
                    {**head, "response": {"status_code": 400, "request_id": name, "body": body}, "error": None}
                )
            else:
                self.paid[name] += 1
                answer = Answer(answer_to(messages))
                answer.input_tokens = prompt_tokens(messages)
                body = WIRE.whole(answer, line["body"]["model"], f"chat-{name}")
                output.append(
                    {**head, "response": {"status_code": 200, "request_id": name, "body": body}, "error": None}
                )
        batch.status = "expired" if self.script.expire_after is not None else "completed"
        batch.done = len(output) + len(errors)
        batch.output_file, batch.error_file = self._file(output), self._file(errors)

    def _file(self, lines: list[dict[str, Any]]) -> str | None:
        if not lines:
            return None
        name = f"file-result-{next(self.numbers)}"
        # The order of the answers is not the order of the requests.
        self.files[name] = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in reversed(lines))
        return name

    def _lines(self, batch: Batch) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[batch.input_file].splitlines() if line]

    def _shown(self, batch: Batch) -> dict[str, Any]:
        return {
            **{"id": batch.id, "object": "batch", "status": batch.status, "input_file_id": batch.input_file},
            **{"output_file_id": batch.output_file, "error_file_id": batch.error_file, "errors": batch.errors},
            "request_counts": {"total": batch.total, "completed": batch.done, "failed": 0},
        }


def _refusal(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": {"message": message, "code": "invalid_request"}}, status=status)
