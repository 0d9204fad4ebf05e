"""How the console looks: both themes and languages, from 375 to 1,600 pixels, legible to everybody; and its pictures.

QUACKLLM_PICTURES=docs/pictures make test-browser   draws the pictures of docs/console.md anew
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from support.console_browser import AXE, FRONT, PAGES, Console, NewConsole

WIDTHS = (375, 480, 768, 1024, 1280, 1600)
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "chinese": {"color_scheme": "light", "locale": "zh-CN"},
}
SERIOUS = ("serious", "critical")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Buttons and text of the page's own that are cut off; rows, code and SQL scroll.
CUT_OFF = """() => [...document.querySelectorAll('button, h1, h2, h3, p, dt, dd, summary, nav a')].filter((element) =>
  element.offsetParent && !element.closest('.table-frame, .table-scroll, .copy-line')
  && getComputedStyle(element).overflowX !== 'auto' && element.scrollWidth > element.clientWidth + 1
  && getComputedStyle(element).display !== 'inline').map((element) => element.innerText.slice(0, 60))"""
MARKDOWN = """Hello, my name is **Ada**.

- one
- two

```sql
SELECT 1 -- it
```

> quoted `code`

| a | b |
|---|---|
| 1 | 2 |"""
QUESTION = "How many orders are there for each status?"
STATEMENT = "SELECT id, body, ai_complete('Say it again: ' || body) AS answer\nFROM reviews\nORDER BY id\nLIMIT 20"


def filled(console: Console) -> dict[str, Callable[[], Any]]:
    """Return what fills each page as a person does."""

    def ask() -> None:
        console.page.locator(".question-box textarea").first.fill(QUESTION)
        console.page.keyboard.press("Enter")
        card = console.page.locator(".answer")
        card.locator(".results-foot").wait_for()
        card.locator(".choice button").last.click()
        card.locator("details summary").last.click()

    def sql() -> None:
        console.page.locator("[data-page=sql] .sql-card textarea").fill(STATEMENT)
        console.page.keyboard.press("Control+Enter")
        console.page.locator("[data-page=sql] .results-foot").wait_for()

    def chat() -> None:
        field = console.page.locator(".composer > textarea")
        field.fill(MARKDOWN)
        field.press("Enter")
        console.page.locator(".message.assistant footer").wait_for()

    def nothing() -> None:
        console.page.wait_for_load_state("networkidle")

    return {"ask": ask, "sql": sql, "chat": chat, "models": nothing, "usage": nothing}


def violations(console: Console) -> list[str]:
    """Return what axe-core finds serious, each with the element. Its code is given to the browser, not to the page."""
    assert AXE.exists(), f"axe-core is not there: type npm ci in {AXE.parents[2]}"
    console.page.evaluate(AXE.read_text("utf-8"))
    found = console.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_read_it_at_every_width(consoles: NewConsole, look: str) -> None:
    console = consoles(**LOOKS[look])
    faults: list[str] = []
    for name in PAGES:
        console.open(name)
        faults += [f"{name}, empty: {each}" for each in violations(console)]
        filled(console)[name]()
        faults += [f"{name}: {each}" for each in violations(console)]
        for width in WIDTHS:
            console.page.set_viewport_size({"width": width, "height": 860})
            if (overflow := console.page.evaluate(OVERFLOW)) > 0:
                faults.append(f"{name}, {width}: {overflow} pixels too wide")
            faults += [f"{name}, {width}: cut off: {text}" for text in console.page.evaluate(CUT_OFF)]
        console.page.set_viewport_size({"width": 375, "height": 760})
        faults += [f"{name}, phone: {each}" for each in violations(console)]
        console.page.set_viewport_size({"width": 1280, "height": 860})
    assert not faults, "\n".join(faults)


def background(console: Console) -> str:
    return str(console.page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_kept(consoles: NewConsole) -> None:
    console = consoles(color_scheme="light")
    console.open()
    light = background(console)
    console.page.emulate_media(color_scheme="dark")
    expect(console.page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = background(console)
    assert light != dark
    console.page.get_by_role("button", name="Light").click()
    expect(console.page.locator("html")).to_have_attribute("data-theme", "light")
    assert background(console) == light
    console.page.reload()
    console.page.locator("h1").wait_for()
    assert background(console) == light


def test_every_text_is_in_both_languages() -> None:

    text = (FRONT / "src/text.ts").read_text("utf-8")
    words = re.findall(r"^  (\w+): \[\s*(\".*?\"|\S[^\n]*?),?\s*\n?\s*(\".*?\"),?\s*\],", text, re.M | re.S)
    assert len(words) > 150
    same = [name for name, english, chinese in words if english == chinese]
    assert same == ["sql", "csv"]


def draw(area: Locator | Console, name: str, folder: Path) -> None:
    page = area.page
    page.mouse.move(2, 2)
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=folder / f"{name}.png")


def test_the_pictures_of_the_documentation(consoles: NewConsole, tmp_path: Path) -> None:
    folder = Path(os.environ.get("QUACKLLM_PICTURES", tmp_path)).absolute()
    light = consoles(color_scheme="light", width=1200)
    light.page.set_viewport_size({"width": 1200, "height": 1040})
    light.open()
    card = light.ask(QUESTION)
    card.get_by_role("button", name="Chart").click()
    card.get_by_role("img").wait_for()
    draw(light, "console-ask-light", folder)
    dark = consoles(color_scheme="dark", width=1200)
    dark.open("sql")
    filled(dark)["sql"]()
    draw(dark, "console-sql-dark", folder)
    for name in ("console-ask-light", "console-sql-dark"):
        assert (folder / f"{name}.png").stat().st_size > 20_000


def test_the_committed_page_is_built_from_its_sources(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    subprocess.run(["node", "build.mjs", str(folder)], cwd=FRONT, check=True, timeout=120)
    subprocess.run(["npx", "tsc", "--noEmit"], cwd=FRONT, check=True, timeout=120)
    built = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert built == {path.name: path.read_bytes() for path in (FRONT.parent / "assets").iterdir()}
