"""`quackllm doctor`: each planted fault is found, with what to type; exit code 1 where something is broken."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from quackllm.deploy.cli.main import app
from quackllm.deploy.doctor import home_folder
from typer.testing import CliRunner

import quackllm
from standin.fixtures import KEY, StandIn

QUIET = {"RAY_AUTH_MODE": "disabled"}


class Report:
    """What the doctor found."""

    def __init__(self, exit_code: int, output: str) -> None:
        self.exit_code = exit_code
        self.findings: list[dict[str, str]] = json.loads(output)

    def has(self, subject: str, state: str, message: str, type: str = "") -> bool:
        return any(
            (one["subject"], one["state"]) == (subject, state) and message in one["message"] and type in one["type"]
            for one in self.findings
        )

    def assert_finding(self, subject: str, state: str, message: str, type: str = "") -> None:
        assert self.has(subject, state, message, type), self.findings


def doctor(*words: str, **variables: str) -> Report:
    """Run it in a process of its own, as a user does."""
    environment = {**os.environ, **QUIET, **variables}
    done = subprocess.run(
        [sys.executable, "-m", "quackllm", "doctor", "--json", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={name: value for name, value in environment.items() if value},
    )
    assert not done.stderr, done.stderr
    assert KEY not in done.stdout
    return Report(done.returncode, done.stdout)


def doctor_here(*words: str) -> Report:
    """Run it in this process, where the machine can be another one."""
    done = CliRunner().invoke(app, ["doctor", "--json", *words])
    return Report(done.exit_code, done.stdout)


@pytest.fixture
def standin_model(service: StandIn, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STANDIN_KEY", KEY)
    quackllm.deploy("chat", "openai", infer_params=service.openai_params() | {"saas.api_key": "env:STANDIN_KEY"})
    return "chat"


def test_nothing_is_broken(standin_model: str) -> None:
    report = doctor("--ask")
    assert report.exit_code == 0, report.findings
    report.assert_finding("packages", "ok", "duckdb 2.")
    report.assert_finding("QUACKLLM_HOME", "ok", "GB free")
    report.assert_finding("call store", "ok", "calls.sqlite")
    report.assert_finding("chat", "ok", "nothing is missing")
    report.assert_finding("chat", "ok", "answered a test request in")


def test_for_a_person_each_line_says_what_to_type(home: Path) -> None:
    (home / "settings.yaml").write_text("llm_stoer: off")
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "broken  settings.yaml: " in done.stdout
    assert "\n        write e.g. llm_store: 'off'\n" in done.stdout
    assert done.stdout.endswith("1 broken\n")


def test_files_that_cannot_be_read(home: Path) -> None:
    (home / "models.yaml").write_text("parrot: {type: echo}\nchat: {type: saas/qianwem}\ntwin: {type: echo, worker: 2}")
    (home / "settings.yaml").write_text("llm_stoer: off")
    (home / "prices.yaml").write_text("chat: {input: free}")
    (home / "keys").mkdir()
    (home / "keys" / "chat.saas.api_key").write_text("x")
    (home / "keys" / "chat.saas.api_key").chmod(0o644)
    report = doctor("--ask")
    assert report.exit_code == 1
    report.assert_finding("models.yaml", "broken", "chat: no service is called saas/qianwem", "'qianwen'")
    report.assert_finding("models.yaml", "broken", "twin: ", "")
    report.assert_finding("settings.yaml", "broken", "llm_stoer", "llm_store: 'off'")
    report.assert_finding("prices.yaml", "broken", "input", "qianwen_chat: {input:")
    assert (home / "keys" / "chat.saas.api_key").stat().st_mode & 0o777 == 0o600, "an earlier release left it open"
    report.assert_finding("parrot", "ok", "echo")


def test_models_that_miss_something(home: Path) -> None:
    (home / "models.yaml").write_text(
        """
keyless: {type: saas/kimi}
example: {type: saas/qianwen}
elsewhere: {type: custom/auto, infer_params: {model_path: /nowhere/zephyr-7b}}
on_gpus: {type: echo, gpus_per_worker: 1000}
stopped: {type: openai, infer_params: {saas.base_url: 'http://127.0.0.1:9/v1', saas.model: m}}
"""
    )
    report = doctor("--model", "qianwen_chat", DASHSCOPE_API_KEY="...")
    assert report.exit_code == 1
    report.assert_finding("keyless", "broken", "MOONSHOT_API_KEY is not set", "export MOONSHOT_API_KEY")
    report.assert_finding("example", "broken", "a placeholder from an example", "export DASHSCOPE_API_KEY")
    report.assert_finding("elsewhere", "broken", "no file or folder at model_path /nowhere/zephyr-7b", "--model-path")
    report.assert_finding("on_gpus", "broken", "it needs 1000 GPUs", "--gpus-per-worker 0")
    report.assert_finding("stopped", "broken", "cannot be reached: Connection refused", "is its server running?")
    report.assert_finding("models", "broken", "no model is called 'qianwen_chat'", "quackllm list")


def test_a_wrong_key_is_found_by_asking_only(service: StandIn, standin_model: str) -> None:
    service.script([{"fault": "wrong_key", "times": 9}])
    assert doctor().exit_code == 0
    assert service.count() == 0
    report = doctor("--ask")
    assert report.exit_code == 1
    report.assert_finding("chat", "broken", "test request: ")
    assert any("key" in one["message"].lower() for one in report.findings if one["state"] == "broken")


def test_a_proxy_in_the_way_of_a_model_on_this_machine(standin_model: str) -> None:
    proxies = {"HTTP_PROXY": "http://ann:hush@proxy.example:3128", "NO_PROXY": "", "no_proxy": ""}
    report = doctor(**proxies)
    text = "is on this machine, and requests to it go to the proxy proxy.example:3128"
    report.assert_finding("chat", "broken", text, "NO_PROXY=127.0.0.1")
    assert "hush" not in str(report.findings)
    assert doctor(**proxies | {"NO_PROXY": "127.0.0.1,localhost"}).exit_code == 0


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    report = doctor(QUACKLLM_HOME=str(tmp_path / "file" / "home"))
    assert report.exit_code == 1
    report.assert_finding("QUACKLLM_HOME", "broken", "cannot be created", "export QUACKLLM_HOME")


def test_a_home_that_cannot_be_written() -> None:
    report = doctor(QUACKLLM_HOME="/proc/self")
    assert report.exit_code == 1
    report.assert_finding("QUACKLLM_HOME", "broken", "it is not writable", "export QUACKLLM_HOME")


def test_a_call_store_that_another_process_has_locked(home: Path) -> None:
    quackllm.connect().execute("SELECT llm_chat('echo', 'x')").fetchall()
    locking = (
        "import sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "file.execute('BEGIN IMMEDIATE'); print('locked', flush=True); input()"
    )
    command = [sys.executable, "-c", locking, str(home / "calls.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        report = doctor()
        other.communicate("\n", timeout=30)
    assert report.exit_code == 1
    report.assert_finding("call store", "broken", "locked by another process", "fuser")


def test_a_call_store_that_is_none(home: Path) -> None:
    (home / "calls.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    report = doctor()
    assert report.exit_code == 1
    report.assert_finding("call store", "broken", "not a database", ".broken")


def test_a_call_store_on_a_network_file_system(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(mountpoint=str(home), fstype="nfs4")
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [disk])
    report = doctor_here()
    assert report.exit_code == 1
    report.assert_finding("call store", "broken", "network file system (nfs4", "QUACKLLM_HOME")


@pytest.mark.parametrize(("free", "state"), [(1 << 20, "broken"), (1 << 28, "warning")])
def test_a_disk_with_little_room(free: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_folder.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    doctor_here().assert_finding("disk", state, "little free space", "QUACKLLM_HOME")


def planted(tmp_path: Path, **versions: str) -> str:
    """Return a folder that says that packages are installed, for PYTHONPATH."""
    for name, version in versions.items():
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return str(tmp_path)


def test_a_wrong_duckdb(tmp_path: Path) -> None:
    report = doctor(PYTHONPATH=planted(tmp_path, duckdb="1.5.0", ray="2.9.0"))
    assert report.exit_code == 1
    report.assert_finding("duckdb", "broken", "duckdb 1.5.0 is installed, quackllm needs", 'pip install "duckdb')
    report.assert_finding("ray", "broken", "ray 2.9.0 is installed", 'pip install "ray')


def test_a_wrong_torch(tmp_path: Path, home: Path) -> None:
    path = planted(tmp_path, torch="2.14.0", vllm="0.1")
    doctor(PYTHONPATH=path).assert_finding("torch", "warning", "torch 2.14.0 is installed, quackllm[", "torch")
    (home / "models.yaml").write_text(f"mine: {{type: custom/auto, infer_params: {{model_path: {tmp_path}}}}}")
    report = doctor(PYTHONPATH=path)
    assert report.exit_code == 1
    report.assert_finding("torch", "broken", "torch 2.14.0 is installed, quackllm[local] needs", 'pip install "torch')
    report.assert_finding("vllm", "warning", "vllm 0.1 is installed")


def test_a_torchvision_of_another_build(tmp_path: Path) -> None:
    report = doctor(PYTHONPATH=planted(tmp_path, torch="2.13.0+cpu", torchvision="0.28.0"))
    report.assert_finding("torchvision", "broken", "another build than torch", "pip uninstall torchvision")


def test_rays_token_mode(tmp_path: Path) -> None:
    unset: dict[str, Any] = {"RAY_AUTH_MODE": "", "HOME": str(tmp_path)}
    assert not doctor(**unset).has("Ray", "warning", "RAY_AUTH_MODE")
    assert doctor(**unset | {"RAY_AUTH_MODE": "token"}).has("Ray", "broken", "no token", "get-auth-token --generate")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("a-token-of-ray")
    report = doctor(**unset)
    report.assert_finding("Ray", "warning", "RAY_AUTH_MODE is not set", "the same on the head and on every client")
    assert "a-token-of-ray" not in str(report.findings)
    assert doctor(**unset | {"RAY_AUTH_MODE": "tokn"}).has("Ray", "broken", "'tokn', which Ray does not know")


def test_no_head_at_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    report = doctor("--cluster", f"127.0.0.1:{free}")
    assert report.exit_code == 1
    report.assert_finding("Ray", "broken", "Connection refused", "ray start --head")


def test_the_store_is_left_as_it_was(home: Path) -> None:
    quackllm.connect().execute("SELECT llm_chat('echo', 'x')").fetchall()
    doctor_here()
    with sqlite3.connect(home / "calls.sqlite") as file:
        assert file.execute("SELECT count(*) FROM answers").fetchone() == (1,)
