"""A key appears nowhere: not in logs, errors, reprs, status, the call store, models.yaml or SQL."""

from __future__ import annotations

import logging
import pickle
import stat
from pathlib import Path

import pytest
from quackllm.workers.deployments.spec import make_spec

import quackllm
from standin.fixtures import KEY, StandIn


def texts_of(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "keys"]
    return "".join(path.read_bytes().decode("utf-8", "replace") for path in files)


@pytest.mark.parametrize("engine", ["openai", "dashscope"])
def test_a_literal_key_is_used_and_never_shown(engine: str, service: StandIn, home: Path, caplog):
    caplog.set_level(logging.DEBUG)
    params = service.openai_params() if engine == "openai" else service.dashscope_params()
    quackllm.deploy("chat", engine, infer_params=params)
    connection = quackllm.connect()
    connection.execute("CREATE TABLE answers AS SELECT chat('hello') AS r")
    service.script([{"fault": "wrong_key"}])
    with pytest.raises(quackllm.QuackLLMError) as caught:
        connection.execute("SELECT chat('again')").fetchall()
    shown = [
        repr(quackllm.models()),
        str(caught.value),
        repr(caught.value),
        str(connection.execute("FROM llm_models()").fetchall()),
        str(connection.execute("FROM llm_calls()").fetchall()),
        str(connection.execute("SELECT r FROM answers").fetchall()),
        str(
            connection.execute(
                "SELECT macro_definition FROM duckdb_functions() WHERE function_name = 'chat'"
            ).fetchall()
        ),
        caplog.text,
        texts_of(home),
    ]
    assert not any(KEY in text for text in shown)
    assert service.requests()[0]["headers"]["Authorization"] == f"Bearer {KEY}"


def test_a_literal_key_moves_to_a_file_that_only_its_owner_reads(service: StandIn, home: Path):
    quackllm.deploy("chat", "openai", infer_params=service.openai_params() | {"saas.headers": {"X-Inner": "hush-hush"}})
    files = list((home / "keys").iterdir())
    assert sorted(path.read_text() for path in files) == ["hush-hush", KEY]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert "hush" not in (home / "models.yaml").read_text()
    again = service.openai_params() | {"saas.headers": {"X-Inner": "hush-hush"}}
    assert quackllm.deploy("chat", "openai", infer_params=again) == "unchanged"
    assert quackllm.deploy("chat", "openai", infer_params=again | {"saas.api_key": "another"}) == "rolled out"
    quackllm.undeploy("chat")
    assert not any((home / "keys").iterdir())


def test_a_reference_is_kept_as_it_is_and_read_where_the_model_runs(service: StandIn, home: Path, monkeypatch):
    monkeypatch.setenv("STANDIN_API_KEY", KEY)
    quackllm.deploy("chat", "openai", infer_params=service.openai_params() | {"saas.api_key": "env:STANDIN_API_KEY"})
    assert "env:STANDIN_API_KEY" in (home / "models.yaml").read_text()
    assert quackllm.connect().execute("SELECT llm_result(chat('x'))").fetchall() == [("answer to: x",)]


def test_a_spec_hides_its_key_and_still_carries_it():
    spec = make_spec(name="chat", type="openai", infer_params={"saas.model": "m", "saas.api_key": KEY})
    assert KEY not in repr(spec) + str(spec) + spec.model_dump_json() + str(spec.model_dump())
    travelled = pickle.loads(pickle.dumps(spec))
    assert travelled == spec
    assert travelled.infer_params["saas.api_key"].get_secret_value() == KEY


def test_an_error_about_a_setting_does_not_repeat_its_value():
    with pytest.raises(quackllm.QuackLLMError) as caught:
        make_spec(name="chat", type="openai", infer_params={"saas.model": "m", "saas.api_kee": KEY})
    assert KEY not in str(caught.value)
    assert "api_key" in str(caught.value)


def test_neither_key_nor_name_nor_limit_changes_the_identity_and_the_model_does():
    def identity(name: str = "chat", **params: object) -> str:
        return make_spec(name=name, type="openai", infer_params={"saas.model": "m", **params}).identity

    same = {identity(), identity("other"), identity(**{"saas.api_key": KEY}), identity(**{"limits.max_attempts": 2})}
    assert len(same) == 1
    assert identity(**{"saas.model": "n"}) not in same
    assert identity(**{"saas.base_url": "http://127.0.0.1:1/v1"}) not in same
