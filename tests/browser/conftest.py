"""A browser, a JupyterLab and the stand-in service for the tests of this folder, which `make test-browser` runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

import quackllm
from standin.fixtures import StandIn
from support.console_browser import Console, NewConsole, chromium_program, new_console, running_console
from support.jupyter_lab import RUN_SECONDS, Lab, Notebook, Open, running_lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserContext]:
    """Chromium without a window; its pages share one cache."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_program(), args=["--no-sandbox"])
        context = running.new_context(viewport={"width": 1100, "height": 900})
        context.set_default_timeout(RUN_SECONDS * 1000)
        expect.set_options(timeout=RUN_SECONDS * 1000)
        yield context
        running.close()


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for the whole run."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def lab(shared_lab: Lab, service: StandIn, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A JupyterLab whose kernels reach the stand-in as `chat` and `qianwen_chat`, and have answered nothing yet."""
    shutil.rmtree(shared_lab.home)
    shared_lab.home.mkdir()
    monkeypatch.setenv("QUACKLLM_HOME", str(shared_lab.home))
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    quackllm.deploy("qianwen_chat", "saas/qianwen", infer_params=service.dashscope_params())
    return shared_lab


@pytest.fixture
def opened(browser: BrowserContext, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Return what opens a notebook of these cells in a page of its own."""
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    with ExitStack() as stack:

        def open_notebook(cells: Sequence[str]) -> Notebook:
            page = stack.enter_context(browser.new_page())
            return Notebook(page, lab, lab.write(f"{name}.ipynb", cells).name)

        yield open_notebook


@pytest.fixture
def console_address(service: StandIn) -> Iterator[str]:
    """A gateway without keys: the shop, and the models `chat` and `qianwen_chat`."""
    with running_console(service) as address:
        yield address


@pytest.fixture
def consoles(browser: BrowserContext, console_address: str) -> Iterator[NewConsole]:
    """Return what opens the console in a tab of its own; at the end the browser must have had no complaint."""
    opened = []

    def open_console(**look: Any) -> Console:
        opened.append(new_console(browser, look.pop("address", console_address), **look))
        return opened[-1]

    yield open_console
    complaints = [complaint for console in opened for complaint in console.complaints]
    for console in opened:
        console.page.context.close()
    assert not complaints


@pytest.fixture
def console(consoles: NewConsole) -> Console:
    """The console in a tab of its own, in English."""
    return consoles()
