from __future__ import annotations

import json
import shlex
import socket
import threading
from pathlib import Path

import pytest
from quackllm.deploy.cli.main import app
from quackllm.deploy.doctor import connectivity
from quackllm.deploy.terminal_output import show_next_step
from typer.testing import CliRunner, Result

import quackllm
from standin.fixtures import StandIn
from support.command_line import error_text

KEY = "sk-0123456789"
SEED = f"""deploy --pretrained_model_type saas/qianwen --cpus_per_worker 0.001 --gpus_per_worker 0 --num_workers 2
    --infer_params saas.api_key={KEY} saas.model=qwen-max --model qianwen_chat"""


def run(line: str) -> Result:
    return CliRunner().invoke(app, shlex.split(line))


def test_the_seeds_command_works_as_written() -> None:
    result = run(SEED)
    assert result.exit_code == 0
    (unreached,) = result.stderr.splitlines()  # The service itself is out of reach of the tests.
    assert unreached.startswith("warning: qianwen_chat is deployed, but https://dashscope.aliyuncs.com/api/v1 cannot")
    assert "qianwen_chat: deployed" in result.stdout
    spec = quackllm.status("qianwen_chat").spec
    assert (spec.type, spec.num_workers, spec.cpus_per_worker) == ("saas/qianwen", 2, 0.001)
    assert spec.infer_params["saas.model"] == "qwen-max"


def test_no_command_shows_the_key(home: Path) -> None:
    lines = [SEED, SEED, "models", "models --json", "status qianwen_chat", "status qianwen_chat --json"]
    lines += [f"{SEED} saas.api_key={KEY}", f"{SEED} --nothing", f"{SEED} --num_workers none", f"deploy m x {SEED[7:]}"]
    for result in map(run, lines):
        assert KEY not in result.output
    assert KEY not in (home / "models.yaml").read_text()


def test_the_short_form() -> None:
    assert run(f"deploy chat saas/qianwen -p saas.model=qwen-max saas.api_key={KEY}").exit_code == 0
    assert quackllm.status("chat").spec.infer_params["saas.model"] == "qwen-max"


def test_hyphens_work_too() -> None:
    assert run("deploy --pretrained-model-type echo --num-workers 3 --model twin").exit_code == 0
    assert quackllm.status("twin").spec.num_workers == 3


def test_a_deployed_model_answers_in_sql() -> None:
    run("deploy parrot echo")
    assert quackllm.connect().execute("SELECT llm_result(parrot('hello'))").fetchone() == ("echo: hello",)


def test_backend_and_path_are_parameters() -> None:
    result = run("deploy --pretrained_model_type custom/auto --infer_backend nothing --model_path /m --model zephyr")
    assert result.exit_code == 1
    assert "no engine is called 'nothing'" in result.stderr


def test_what_to_type_next() -> None:
    assert "Ask it: quackllm chat parrot hello\n" in run("deploy parrot echo").stdout
    asked = run("deploy writer saas/qianwen -p saas.api_key=k prompt_form=xiyan").stdout
    assert 'quackllm text2sql "How many are there?" --model writer' in asked
    assert "chat writer" not in asked


def test_what_to_type_next_names_the_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    show_next_step("there_chat", writes_sql=False, cluster="auto")
    asked = capsys.readouterr().out
    assert "Ask it: quackllm chat there_chat hello --cluster auto\n" in asked
    assert "quackllm.connect(cluster='auto')" in asked


def test_deploying_again() -> None:
    outcomes = [run(f"deploy parrot echo -p delay_seconds={delay}").stdout.split("\n")[0] for delay in (0, 0, 0.5)]
    assert outcomes == ["parrot: deployed", "parrot: unchanged", "parrot: rolled out"]


def test_models() -> None:
    assert "No model is deployed here" in run("models").stdout
    run("deploy parrot echo -p delay_seconds=0.5")
    assert "parrot" in run("list").stdout
    (entry,) = json.loads(run("models --json").stdout)
    assert (entry["name"], entry["type"], entry["infer_params"]) == ("parrot", "echo", {"delay_seconds": 0.5})


def test_status() -> None:
    run("deploy parrot echo -p delay_seconds=0.5")
    assert "delay_seconds" in run("status parrot").stdout
    assert json.loads(run("status parrot --json").stdout)["name"] == "parrot"
    assert "started" not in run("status parrot").stdout


def test_undeploy() -> None:
    run("deploy parrot echo")
    assert run("undeploy parrot").exit_code == 0
    assert quackllm.models() == []


@pytest.mark.parametrize(
    ("line", "happened", "hint"),
    [
        ("undeploy nothing", "no model is called 'nothing'", "quackllm list"),
        ("status nothing", "no model is called 'nothing'", "quackllm list"),
        ("deploy lower echo", "'lower': that is a function of DuckDB", "lower_model"),
        ("deploy My-Model echo", "name: ", ""),
        ("deploy m saas/qianwem", "no service is called saas/qianwem", "did you mean 'qianwen'"),
        ("deploy m ecko", "no type of model is called 'ecko'", "did you mean 'echo'"),
        ("deploy m sass/openai", "no type of model is called 'sass/openai'", "did you mean 'saas/openai'"),
        ("deploy m olama", "no type of model is called 'olama'", "did you mean 'saas/ollama'"),
        ("deploy m something", "no type of model is called 'something'", "saas/SERVICE, custom/auto"),
        ("aks", "no command is called 'aks'", "quackllm text2sql"),
        ('sql -c "FROM aks(1)"', "Table Function with name aks does not exist", "did you mean 'ask'"),
        ("deploy m echo -p delay=1", "delay", "delay_seconds"),
        ("deploy m echo -p delay_seconds=long", "delay_seconds", ""),
        ("deploy m echo -p delay_seconds", "a parameter has no value", "key=value"),
        ("deploy m", "the model's type is missing", "saas/qianwen"),
        ("deploy", "the model's name is missing", "quackllm deploy"),
        ("deploy m custom/auto --model-path /no/model", "there is no model folder /no/model", "config.json"),
        ("deploy m echo --model n", "the name is 'm' and, with --model, 'n'", "leave one out"),
        ("deploy m saas/qianwen", "DASHSCOPE_API_KEY", "export DASHSCOPE_API_KEY"),
        ("deploy m saas/qianwen -p saas.api_key=", "saas.api_key has no value", "env:NAME"),
        ("models --cluster local", "--cluster local starts a Ray that ends with this command", "ray start --head"),
    ],
)
def test_an_error_says_what_to_type(line: str, happened: str, hint: str, home: Path) -> None:
    result = run(line)
    words = error_text(result)
    assert result.exit_code == 1
    assert happened in words
    assert hint in words
    assert "Traceback" not in result.output
    assert not (home / "models.yaml").exists()


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUACKLLM_DEBUG", "1")
    assert isinstance(run("status nothing").exception, quackllm.QuackLLMError)


def test_help_teaches() -> None:
    assert "saas/qianwen" in run("--help").stdout
    assert "--infer_params" in run("deploy --help").stdout
    assert run("").exit_code in (0, 2)
    assert quackllm.__version__ in run("--version").stdout


def test_importing_the_folder_leaves_the_function() -> None:
    assert quackllm.deploy.cli.main.app is app  # type: ignore[attr-defined]
    assert quackllm.deploy("parrot", "echo") == "deployed"


@pytest.mark.parametrize("form", ["a line", "a file"])
def test_a_service_that_does_not_answer_is_named_and_deployed(form: str, tmp_path: Path, service: StandIn) -> None:
    (models := tmp_path / "models.yaml").write_text(
        f"""
dead: {{type: openai, infer_params: {{saas.base_url: 'http://127.0.0.1:9/v1', saas.model: m}}}}
alive: {{type: openai, infer_params: {{saas.base_url: '{service.url}/v1', saas.model: m, saas.api_key: k}}}}
broken: {{type: nothing}}
"""
    )
    line = "deploy dead openai -p saas.base_url=http://127.0.0.1:9/v1 saas.model=m"
    result = run(line if form == "a line" else f"deploy -f {models}")
    assert result.exit_code == (form == "a file")
    assert "dead: deployed" in result.stdout
    assert "warning: dead is deployed, but http://127.0.0.1:9/v1 cannot be reached: Connection" in result.stderr
    assert "alive is" not in result.stderr


def test_a_name_that_cannot_be_looked_up_takes_no_longer_than_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectivity, "TIMEOUT_SECONDS", 0.2)
    answered = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        answered.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert connectivity.why_unreachable("nowhere.invalid", 80) == "no answer within 0.2 s"
    answered.set()


def test_the_list_shows_no_numbers_of_workers_in_other_processes(home: Path) -> None:
    (home / "models.yaml").write_text("parrot: {type: echo}")
    assert run("list").stdout.splitlines()[1].split() == ["parrot", "echo", "1", "on", "request"]
