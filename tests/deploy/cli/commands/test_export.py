"""`quackllm export`: what it prints is what to type next, and that works."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner

import quackllm
from support.tiny_models import TALKS

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")


def test_the_printed_command_deploys_what_was_exported(tiny_llama: Path, tmp_path: Path) -> None:
    target = tmp_path / "Own-Model.Q4_K_M.gguf"
    done = CliRunner().invoke(app, ["export", str(tiny_llama), str(target), "--ollama"])
    assert done.exit_code == 0, done.output
    first, deploying, ollama, studio = done.stdout.splitlines()
    assert first.startswith(f"{target}: Q4_K_M, 0.6 MB")
    assert ollama == f"Ollama: ollama create own_model -f {target.with_suffix('.Modelfile')}"
    assert studio == f"LM Studio: lms import {target}"

    command = deploying.removeprefix("Deploy it: quackllm ").split()
    deployed = CliRunner().invoke(app, [*command, "-p", "backend.n_ctx=256", "-p", "backend.n_threads=1"])
    assert deployed.exit_code == 0, deployed.output
    with quackllm.connect() as connection:
        (answer,) = connection.execute("SELECT llm_result(own_model_chat('池塘里有什么？'))").fetchone()
    assert answer == TALKS["池塘里有什么？"]


def test_weights_that_do_not_fit_are_said_on_the_way(tiny_qwen: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", str(tiny_qwen), str(tmp_path / "own.gguf")])
    assert done.exit_code == 0
    assert "Q4_K_M packs 256 weights of a row together, and 2 of 26 weights have other rows" in done.stderr
    assert "ffn_down" not in done.stdout


def test_a_wrong_type_is_one_panel(tiny_llama: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", str(tiny_llama), str(tmp_path / "own.gguf"), "--type", "Q4"])
    assert done.exit_code == 1
    assert "there is no GGUF type 'Q4'" in done.stderr


def test_safetensors_are_deployed_by_their_folder(tiny_llama: Path, tmp_path: Path) -> None:
    target = tmp_path / "half"
    done = CliRunner().invoke(app, ["export", str(tiny_llama), str(target), "--type", "bfloat16"])
    assert done.exit_code == 0, done.output
    first, deploying = done.stdout.splitlines()
    assert first.startswith(f"{target}: bfloat16")
    assert deploying == f"Deploy it: quackllm deploy half_chat custom/auto --model-path {target}"


def test_the_command_names_the_prompt_form_that_the_model_was_trained_on(tiny_llama: Path, tmp_path: Path) -> None:
    trained = tmp_path / "trained"
    shutil.copytree(tiny_llama, trained)
    (trained / "quackllm.json").write_text('{"prompt_form": "xiyan"}')
    target = tmp_path / "half"
    done = CliRunner().invoke(app, ["export", str(trained), str(target), "--type", "bfloat16"])
    assert done.exit_code == 0, done.output
    deploying = f"Deploy it: quackllm deploy half_chat custom/auto --model-path {target} -p prompt_form=xiyan"
    assert done.stdout.splitlines()[1] == deploying
    again = CliRunner().invoke(app, ["export", str(target), str(tmp_path / "own.gguf")])
    assert "-p backend=llama_cpp" in again.stdout
    assert "-p prompt_form=xiyan" in again.stdout
