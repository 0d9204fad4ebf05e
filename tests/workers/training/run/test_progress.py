"""A run says how far it is: a line for each loss, and one whenever it would be silent for long."""

from __future__ import annotations

import io
from threading import Event

from quackllm.workers.training.run.progress import describe_metrics, progress_lines
from rich.console import Console


def test_each_loss_is_a_line_with_the_time_left() -> None:
    text = io.StringIO()
    with progress_lines(Console(file=text, width=120), 60) as show:
        show(0, 10, {})
        show(5, 10, {"loss": 1.25, "tokens_per_second": 3210.9, "other": 1})
    first, second = text.getvalue().splitlines()
    assert first.startswith("loading the model")
    assert second.startswith("step 5/10: loss 1.25, tokens/second 3211, 0:00:00 left, after")


def test_a_long_step_is_not_silent() -> None:
    class Lines(io.StringIO):
        seen = Event()

        def write(self, line: str) -> int:
            if "step 3/10" in line:
                self.seen.set()
            return super().write(line)

    text = Lines()
    with progress_lines(Console(file=text, width=120), 0.01) as show:
        show(3, 10, {})
        assert text.seen.wait(60)


def test_no_metrics_no_line() -> None:
    assert describe_metrics({"epoch": 1.0}) == ""
