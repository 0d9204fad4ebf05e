"""A gateway in the test's own process, and what its routes read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from quackllm.deploy.gateway.app import create_app
from quackllm.deploy.gateway.settings import GatewaySettings
from quackllm.deploy.gateway.state import Gateway
from sqlalchemy import create_engine

from support.spider_on_servers import copy_database

XIYAN_BODY: dict[str, Any] = json.loads((Path(__file__).with_name("xiyan_body.json")).read_text("utf-8"))
"""The sample body of XiYan's service, to the letter; its DDL has three faults."""
FORM = {
    "sessionPerUser": "true",
    "sessionPerRequest": "true",
    "owner": "william",
    "dataType": "string",
    "sql": "select qianwen_chat(array(feature)) as value",
}
"""What the Byzer quick start sends beside `data`."""
PROMPT = """\
### 请根据以下table properties和SQL input{task}.{ext}
#
### {kind} SQL tables, with their properties:
#
# {tables}
#
#
### SQL input: {question}"""
"""As Chat2DB fills it."""

OPENED: list[Gateway] = []
"""What `client` has opened; the fixture `gateways_closed` closes it."""


def client(**settings: Any) -> TestClient:
    """Return a client of a new gateway, which is closed when the test ends."""
    app = create_app(GatewaySettings(**settings))
    OPENED.append(app.state.gateway)
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def chat2db_prompt(
    question: str,
    tables: str = "singer(id, name, age)\n#concert(id, singer_id, year)",
    kind: str = "MYSQL",
    task: str = "将自然语言转换成SQL查询",
) -> str:
    """Return a prompt of Chat2DB's."""
    return PROMPT.format(question=question, tables=tables, kind=kind, task=task, ext=" ")


def configure(home: Path, *names: str) -> None:
    """Let the gateway know Spider databases, as SQLite files."""
    lines = []
    for name in names:
        path = home / f"{name}.sqlite"
        engine = create_engine(f"sqlite:///{path}")
        copy_database(name, engine)
        engine.dispose()
        lines.append(f"{name}: sqlite:///{path}\n")
    (home / "databases.yaml").write_text("".join(lines))
