"""A secret in every place where a user can put one is in nothing that a notebook shows or saves."""

from __future__ import annotations

import json
from typing import Any

import pytest

import quackllm
from standin.fixtures import StandIn

KEY, HEADER, EXTRA = "sk-canary-key-93417", "canary-header-55021", "canary-extra-77310"
PROXY_PASSWORD, QUERY, TYPED = "canary-proxy-12894", "canary-query-30985", "sk-canary-typed-64120"
PLANTED = (KEY, HEADER, EXTRA, PROXY_PASSWORD, QUERY, TYPED)
CELLS = (
    "%quackllm",
    "%quackllm :memory:",
    "%llm_status",
    "%sql FROM llm_models()",
    "%sql SELECT {model}('hello')",
    "%sql FROM llm_calls()",
    "%%sql --output answers\nSELECT {model}('hello').error AS e",
    "answers",
    "%%chat --model {model}\nhello",
    "%%chat --model {model} --output turn\nhello {{{{KEY_VARIABLE}}}}",
    "%%text2sql --model {model}\nhow many rows has t?",
    "%%ask --model {model}\nhow many rows has t?",
    "import quackllm; print(quackllm.models(), quackllm.status('{model}'))",
    "quackllm.connect().execute(\"FROM ask('how many?', model := '{model}')\").fetchall()",
    "quackllm.deploy('broken', 'saas/openai', infer_params={{'saas.api_key': '{typed}', 'saas.bogus': 1}})",
    "quackllm.deploy('Wrong Name', 'saas/openai', infer_params={{'saas.api_key': '{typed}'}})",
    "run command as LLM.`` where action='infer'",
    "%chat --no_such_option x",
)


@pytest.fixture
def planted(service: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Models with a secret in each field, one of them behind a proxy that is not there."""
    for name, value in {"KEY": KEY, "HEADER": HEADER, "QUERY": QUERY}.items():
        monkeypatch.setenv(f"CANARY_{name}", value)
    params = service.openai_params(limits__max_attempts=1) | {
        "saas.api_key": "env:CANARY_KEY",
        "saas.headers": {"x-canary": "env:CANARY_HEADER"},
        "saas.query": {"token": "env:CANARY_QUERY"},
        "saas.extra": {"canary_token": EXTRA},
    }
    quackllm.deploy("direct", "saas/openai", infer_params=params)
    quackllm.deploy("typed", "saas/openai", infer_params={**params, "saas.api_key": TYPED})
    proxy = f"http://canary:{PROXY_PASSWORD}@127.0.0.1:9"
    quackllm.deploy("proxied", "saas/openai", infer_params={**params, "saas.proxy": proxy})
    return service


@pytest.mark.filterwarnings("ignore::quackllm.udf.session.statement.FailedRowsWarning")
@pytest.mark.parametrize("traceback", ["Context", "Verbose"])
@pytest.mark.parametrize(
    ("model", "fault"), [("direct", None), ("typed", "refuse"), ("direct", "drop"), ("proxied", None)]
)
def test_no_cell_shows_a_secret(
    notebook: Any, planted: StandIn, capfd: pytest.CaptureFixture[str], model: str, fault: str | None, traceback: str
) -> None:
    notebook.run(f"%xmode {traceback}")
    if fault == "refuse":
        message = f"you sent {TYPED} and {HEADER} with {EXTRA} and {QUERY}"
        planted.script([{"fault": "wrong_key", "message": message}])
    elif fault:
        planted.script([{"fault": fault}])
    for cell in CELLS:
        text = cell.format(model=model, typed=TYPED)
        ran = notebook.run(text)
        said = "".join(map(str, capfd.readouterr())) + ran.text + json.dumps([ran.shown, ran.drawn]) + repr(ran.error)
        typed_here = TYPED if TYPED in text else ""  # Python itself shows the cell's own line in a traceback.
        found = [secret for secret in PLANTED if secret in said and secret != typed_here]
        assert not found, f"{text}: {said[max(said.find(found[0]) - 300, 0) :][:500]}"
