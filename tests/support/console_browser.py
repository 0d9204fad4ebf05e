"""The console in a real browser, as a person uses it: a page of a running gateway with the shop and two models."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page
from quackllm.deploy.gateway.serving.server import serving
from quackllm.deploy.gateway.settings import GatewaySettings
from quackllm.workers.home import home_folder

import quackllm
from standin.fixtures import StandIn

from .console_shop import make_shop
from .jupyter_lab import RUN_SECONDS

FRONT = Path(__file__).parents[2] / "deploy/gateway/console/front"
AXE = FRONT / "node_modules/axe-core/axe.min.js"
PAGES = ("ask", "sql", "chat", "models", "usage")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PRICES = "chat: {input: 2.4, output: 9.6}\n"


def chromium_program() -> str:
    """Return the path of the browser."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert program, "there is no Chromium: apt install chromium fonts-noto-cjk"
    return program


class Console:
    """The page in one tab.

    Args:
        page: the tab.
        address: the gateway's.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.expose_function("complain", lambda text: self.complaints.append(text))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', (e) => "
            "complain(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));"
        )

    def _dismiss(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, name: str = "ask") -> Locator:
        """Go to one of its pages, and return what is in it."""
        self.page.goto(f"{self.address}/#/{name}")
        section = self.page.locator(f"[data-page={name}]")
        section.locator("h1").wait_for()
        return section

    def ask(self, question: str) -> Locator:
        """Ask a question, and return the card of its answer when it has rows, or why it has none."""
        box = self.page.get_by_label("Question", exact=True)
        box.fill(question)
        box.press("Enter")
        card = self.page.locator(".answer").filter(has_text=question).first
        card.locator(".results-foot, .notice, .error-box, .no-rows").first.wait_for()
        return card

    def run(self, sql: str) -> Locator:
        """Run a statement on the SQL page, and return its outcome when it has ended."""
        section = self.page.locator("[data-page=sql]")
        section.get_by_label("SQL statement").fill(sql)
        section.get_by_role("button", name="Run", exact=True).click()
        outcome = section.locator(".outcome")
        outcome.locator(".results-foot, .notice, .error-box, .no-rows").first.wait_for()
        return outcome

    def say(self, text: str) -> None:
        """Send a message on the chat page."""
        box = self.page.get_by_label("Message", exact=True)
        box.fill(text)
        box.press("Enter")


@contextmanager
def running_console(service: StandIn, **settings: Any) -> Iterator[str]:
    """Serve the shop and the models `chat` and `qianwen_chat`; yield the gateway's address."""
    make_shop(home_folder())
    (home_folder() / "prices.yaml").write_text(PRICES, "utf-8")
    quackllm.deploy("chat", "openai", infer_params=service.openai_params(limits__max_attempts=1))
    quackllm.deploy("qianwen_chat", "saas/qianwen", infer_params=service.dashscope_params())
    with serving(GatewaySettings(port=0, **settings)) as (address, _, _):
        yield address


NewConsole = Callable[..., Console]
"""Opens the console in a tab of its own; its arguments are those of the browser's context: theme, width, language."""


def new_console(browser: BrowserContext, address: str, **look: Any) -> Console:
    """Open a tab with a storage of its own; `width` is the window's."""
    whole = browser.browser
    assert whole
    width = look.pop("width", 1280)
    context = whole.new_context(viewport={"width": width, "height": 860}, **{"locale": "en-GB", **look})
    context.set_default_timeout(RUN_SECONDS * 1000)
    return Console(context.new_page(), address)
