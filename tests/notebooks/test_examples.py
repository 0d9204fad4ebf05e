"""The example notebooks run from top to bottom on a machine without models, keys or settings, and leave no warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbconvert import HTMLExporter

FOLDER = Path(__file__).parents[2] / "notebooks" / "examples"
EXAMPLES = sorted(FOLDER.glob("*.ipynb"))
STRICT = """
import warnings
from quackllm import FailedRowsWarning

warnings.simplefilter("error")
warnings.filterwarnings("ignore", module="ipykernel")  # It warns of itself when it is told to end.
warnings.simplefilter("default", FailedRowsWarning)  # Some of the examples show rows that fail.
"""
RAISES = "raises-exception"


@pytest.fixture
def executed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what runs an example in a kernel where warnings are errors, and gives it with its outputs."""
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "strict.py").write_text(STRICT, "utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(path: Path) -> Any:
        notebook = nbformat.read(path, 4)
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
        return notebook

    return run


def outputs(notebook: Any) -> list[tuple[Any, Any]]:
    return [(cell, output) for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.mark.timeout(600)  # A kernel on a busy machine; the longest takes half a minute on an idle one.
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_from_top_to_bottom(path: Path, executed: Any) -> None:
    if path.stem == "fine-tune":
        for package in ("torch", "trl", "peft"):
            pytest.importorskip(package)
    notebook = executed(path)
    for cell, output in outputs(notebook):
        assert output.output_type != "error" or RAISES in cell.metadata.get("tags", []), output.get("evalue")
        assert "Traceback" not in output.get("text", "")
        assert "not found" not in output.get("text", "")
    stopped = [cell for cell in notebook.cells if RAISES in cell.metadata.get("tags", [])]
    assert all("stopped at its budget" in str(cell.outputs) for cell in stopped)
    assert_the_page_says_the_same(notebook)


def assert_the_page_says_the_same(notebook: Any) -> None:
    """`jupyter nbconvert --to html` writes attributes in another order; the words, and what holds them, stay."""
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    whole = BeautifulSoup(page, "html.parser")
    shown = [output.data["text/html"] for _, output in outputs(notebook) if "text/html" in output.get("data", {})]
    parts = [BeautifulSoup(html, "html.parser") for html in shown]
    assert all(part.get_text().strip() in whole.get_text() for part in parts)
    for kind in ("table", "svg", ".quackllm-answer", ".quackllm-sql", ".quackllm-chat"):
        assert len(whole.select(kind)) >= sum(len(part.select(kind)) for part in parts)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_kept_without_their_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert not [cell.source for cell in cells if cell.outputs or cell.execution_count]
