"""A run says how far it is: a line for each loss, and one whenever it would be silent for long."""

from __future__ import annotations

from threading import Event

import pytest
from quackllm.workers.training.run.progress import describe_metrics, progress_lines


def test_each_loss_is_a_line_with_the_time_left() -> None:
    lines: list[str] = []
    with progress_lines(lines.append, 60) as show:
        show(0, 10, {})
        show(5, 10, {"loss": 1.25, "tokens_per_second": 3210.9, "other": 1})
    first, second = lines
    assert first.startswith("loading the model")
    assert second.startswith("step 5/10: loss 1.25, tokens/second 3211, 0:00:00 left, after")


def test_a_long_step_is_not_silent() -> None:
    seen = Event()
    with progress_lines(lambda line: seen.set() if "step 3/10: loss 2," in line else None, 0.01) as show:
        show(2, 10, {"loss": 2.0})
        show(3, 10, {})
        assert seen.wait(60), "it says the step, and the last loss"


def test_no_metrics_no_line() -> None:
    assert describe_metrics({"epoch": 1.0}) == ""


@pytest.mark.filterwarnings("ignore")  # The kernel's own, of its sockets and loops.
def test_a_notebook_shows_one_line_that_changes_in_place() -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    training = """
from quackllm.workers.training.run.progress import progress_bar
with progress_bar() as show:
    for step in range(1, 4):
        show(step, 3, {"loss": 1 / step})
"""
    tqdm = "from quackllm.workers.quiet_imports import import_tqdm; import_tqdm(); import tqdm.auto"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (training, tqdm)])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    trained, imported = notebook.cells
    (line,) = trained.outputs
    assert line["data"]["text/plain"].startswith("step 3/3: loss 0.3333, 0:00:00 left, after")
    assert imported.outputs == [], "no advice to install ipywidgets"
