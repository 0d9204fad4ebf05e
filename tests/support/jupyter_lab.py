"""A real JupyterLab server, and a notebook in it as a person has it: cells to run, a stop button, outputs to read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page, expect

TOKEN = "browser-tests"
NUMBERED = re.compile(r"\[\d+\]")
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none", "recordTiming": False},
}
START_SECONDS = 120
RUN_SECONDS = 120


class Lab:
    """A running JupyterLab, whose folder and kernels' QUACKLLM_HOME are a test's own."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process
        self.home = folder / "home"
        self.url = ""

    def wait_until_it_listens(self) -> None:
        """Read its address from the file that the server writes when it listens."""
        deadline = time.monotonic() + START_SECONDS
        while not (found := list((self.folder / "runtime").glob("jpserver-*.json"))):
            assert self.process.poll() is None, (self.folder / "lab.log").read_text("utf-8")
            assert time.monotonic() < deadline, "JupyterLab did not start"
            time.sleep(0.1)
        self.url = json.loads(found[0].read_text("utf-8"))["url"]

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """Write a notebook of these cells; one that begins with '#: ' is Markdown."""
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        for cell in cells:
            text = cell.strip("\n")
            markdown = text.startswith("#: ")
            new = nbformat.v4.new_markdown_cell if markdown else nbformat.v4.new_code_cell
            notebook.cells.append(new(text.removeprefix("#: ")))
        path = self.folder / "work" / name
        nbformat.write(notebook, path)
        return path


class Notebook:
    """A notebook that is open in the browser."""

    def __init__(self, page: Page, lab: Lab, name: str) -> None:
        self.page = page
        page.goto(f"{lab.url}doc/tree/{name}?token={TOKEN}&reset")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.get_by_text("| Idle").wait_for()

    def cell(self, number: int) -> Locator:
        """Return the code cell of that number, from 0."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def output(self, number: int) -> Locator:
        """Return what stands under a code cell."""
        return self.cell(number).locator(".jp-OutputArea").first

    def text(self, number: int) -> str:
        """Return the words that stand under a code cell."""
        return self.output(number).inner_text()

    def start(self, number: int) -> None:
        """Run a cell, and do not wait for it."""
        self.cell(number).locator(".cm-content").first.click()
        self.page.keyboard.press("Control+Enter")

    def run(self, number: int) -> None:
        """Run a cell to its end."""
        self.start(number)
        self.wait_for_the_end(number)

    def wait_for_the_end(self, number: int) -> None:
        """Wait until a cell that was started has its number."""
        prompt = self.cell(number).locator(".jp-InputPrompt").first
        expect(prompt).to_have_text(NUMBERED)
        self.wait_until_idle()

    def stop(self) -> None:
        """Press the toolbar's stop button."""
        self.page.locator("[data-jp-item-name='interrupt']").click()

    def restart(self) -> None:
        """Restart the kernel and clear what it said, as the menu offers, and confirm it."""
        self.page.get_by_role("menuitem", name="Kernel", exact=True).click()
        self.page.get_by_role("menuitem", name="Restart Kernel and Clear Outputs").click()
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.get_by_text("| Idle").wait_for()

    def choose(self, theme: str) -> None:
        """Choose a theme: 'Light' or 'Dark'."""
        name = f"JupyterLab {theme}"
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        self.page.locator(f"body[data-jp-theme-name='{name}']").wait_for(state="attached")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def draw(self, path: Path) -> None:
        """Keep a picture of all cells, as high as they are."""
        height = self.page.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollHeight")
        self.page.set_viewport_size({"width": 1100, "height": height + 200})
        cells = self.page.locator(".jp-Notebook .jp-Cell")
        first, last = (cells.nth(at).bounding_box() for at in (0, cells.count() - 1))
        assert first is not None
        assert last is not None
        end = last["y"] + last["height"]
        box = {"x": first["x"], "y": first["y"] - 4, "width": first["width"], "height": end - first["y"] + 8}
        self.page.screenshot(path=path, clip=box)


LONG_PROMPT = "Tell a long story of ducks: " + ", ".join(f"the duck number {number}" for number in range(40))
SLOW_ANSWER = {"fault": "slow", "piece_seconds": 0.15, "marker": "long story"}
Open = Callable[[Sequence[str]], Notebook]
"""Opens a notebook with these cells."""


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Run a JupyterLab that knows nothing of this machine's user, and end it afterwards."""
    for part in ("work", "home", "runtime"):
        (folder / part).mkdir(parents=True)
    _write_settings(folder, SETTINGS)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--ip=127.0.0.1", "--ServerApp.port=0", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={folder / 'work'}"]
    with (
        (folder / "lab.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, text=True, cwd=folder, env=_environment(folder)) as process,
    ):
        try:
            lab = Lab(folder, process)
            lab.wait_until_it_listens()
            yield lab
        finally:
            process.terminate()


def _environment(folder: Path) -> dict[str, str]:
    places = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    ours: dict[str, Any] = {f"JUPYTER_{name}_DIR": folder / place for name, place in places.items()}
    ours |= {"JUPYTERLAB_SETTINGS_DIR": folder / "settings", "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces"}
    ours |= {"IPYTHONDIR": folder / "ipython", "QUACKLLM_HOME": folder / "home", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **{name: str(value) for name, value in ours.items()}}


def _write_settings(folder: Path, settings: dict[str, dict[str, Any]]) -> None:
    for name, values in settings.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), "utf-8")
