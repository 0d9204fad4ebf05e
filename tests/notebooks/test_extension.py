"""Loading and unloading, and a real kernel: what it keeps when it is started again, and where it stops."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import quackllm
from standin.fixtures import StandIn

LOADING = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.process_time()
shell.run_line_magic("load_ext", "quackllm.notebooks")
print(time.process_time() - began)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_loading_is_quick_because_it_loads_little(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", LOADING]
    environment = {"PATH": "/usr/bin:/bin", "IPYTHONDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environment)
    seconds, modules = done.stdout.splitlines()
    assert float(seconds) < 5, "0.1 s of one core, and it may be a slow one"
    heavy = {"ray", "torch", "pandas", "pyarrow", "numpy", "matplotlib", "pydantic", "sqlglot", "openai", "rich"}
    assert not heavy & set(modules.split())


def test_unloading_takes_everything_away_and_loading_again_brings_it_back(notebook) -> None:
    notebook.run_ok("%unload_ext quackllm.notebooks")
    assert not notebook.run("%chat hello").success
    assert not notebook.run("--%chat\n\nhello").success
    assert "UsageError" in notebook.run("%sql SELECT 1").printed
    notebook.run_ok("%load_ext quackllm.notebooks")
    notebook.run_ok("%load_ext quackllm.notebooks")
    assert "echo: hello" in notebook.run_ok("%chat hello").text


def test_other_cells_are_left_alone(notebook) -> None:
    assert notebook.run_ok("x = 5\nx --x").value == 10
    assert notebook.run_ok("'''\n--%chat\n'''").value == "\n--%chat\n"
    assert notebook.run_ok("'<b>'").html == ""


def cells_of(path: Path, cells: list[str], **client: object):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120, startup_timeout=180, kernel_name="python3", **client).execute(
        cwd=str(path)
    )
    return notebook


@pytest.mark.filterwarnings("ignore")  # The kernel's own, of its sockets and loops.
def test_a_kernel_that_is_started_again_goes_on_and_pays_nothing_again(service: StandIn, tmp_path: Path) -> None:
    quackllm.deploy("kimi_chat", "saas/kimi", infer_params=service.openai_params())
    first = ["%load_ext quackllm.notebooks\n%quackllm talk.duckdb", "%chat --output q1 My name is William."]
    cells_of(tmp_path, first)
    second = [
        *first,
        "%chat --input q1 --output q2 What is my name?",
        "q2",
        "%sql FROM llm_models()",
        "%chat --nope 1 x",
    ]
    notebook = cells_of(tmp_path, second, allow_errors=True)
    assert service.count() == 2
    *_, asked, shown, models, failed = notebook.cells
    assert [output["data"]["text/plain"].splitlines()[0] for output in asked.outputs] == ["Your name is William."]
    assert "quackllm-chat" in shown.outputs[0]["data"]["text/html"]
    assert "kimi_chat" in models.outputs[0]["data"]["text/html"]
    assert [output["output_type"] for output in failed.outputs] == ["display_data"], "a panel, and no traceback"
    assert "has no option --nope" in failed.outputs[0]["data"]["text/html"]


@pytest.mark.filterwarnings("ignore")
def test_a_panel_stops_the_cells_behind_it(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    with pytest.raises(nbclient.exceptions.CellExecutionError):
        cells_of(tmp_path, ["%load_ext quackllm.notebooks", "%chat --nope 1 x", "open('reached', 'w')"])
    assert not (tmp_path / "reached").exists()
