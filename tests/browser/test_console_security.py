"""A hostile page in the same browser can do nothing, and no text that data, names, answers and errors bring is run."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import BrowserContext, expect
from quackllm.udf.calls.call_store import CallStore
from quackllm.workers.home import home_folder
from quackllm.workers.sql_text import quote_identifier, quote_literal

from support.console_browser import Console, NewConsole, chromium_program

LINES = Path(__file__).with_name("xss_payloads.txt").read_text("utf-8").splitlines()
PAYLOADS = [line.replace(r"\n", "\n") for line in LINES]
# What the page itself never holds.
INJECTED = """() => [...document.querySelectorAll('*')].filter((element) =>
  ['SCRIPT', 'IFRAME', 'OBJECT', 'EMBED', 'STYLE', 'BASE', 'VIDEO', 'AUDIO', 'MARQUEE', 'MATH', 'TEMPLATE', 'X']
    .includes(element.tagName.toUpperCase())
    && !(element.tagName === 'SCRIPT' && element.parentElement === document.head)
  || [...element.attributes].some((attribute) => attribute.name.startsWith('on') || attribute.name === 'srcdoc')
  || (element.tagName === 'IMG' && !element.src.endsWith('/console/assets/icon.svg'))
  || (element.tagName === 'A' && !/^(https?:|#|\\/docs)/.test(element.getAttribute('href') ?? '#'))
  || element.hasAttribute('action') || element.hasAttribute('formaction') || element.hasAttribute('ping')
).map((element) => element.outerHTML.slice(0, 200))"""
HOSTILE = """<!doctype html><title>evil</title><body><script>
const target = TARGET, seen = {};
const tried = [];
const attempt = (name, work) => tried.push(Promise.resolve().then(work).then(
  (value) => { seen[name] = value; }, (error) => { seen[name] = "failed: " + error; }));
const sql = JSON.stringify({sql: "SELECT llm_chat('echo', 'from evil')", model: "echo"});
const chat = JSON.stringify({model: "echo", messages: [{role: "user", content: "from evil"}]});
for (const path of ["/console/session", "/console/usage", "/v1/models", "/console/databases/shop"])
  attempt("read " + path, async () => (await fetch(target + path)).text());
for (const [path, body] of [["/console/sql", sql], ["/console/question", '{"question": "x", "database": "shop"}'],
                            ["/v1/chat/completions", chat], ["/", '{"prompt": "from evil"}'], ["/text2sql", sql]]) {
  attempt("json " + path, async () => (await fetch(target + path, {method: "POST", body,
    headers: {"Content-Type": "application/json"}})).text());
  attempt("simple " + path, async () => (await fetch(target + path, {method: "POST", body, mode: "no-cors",
    headers: {"Content-Type": "text/plain"}})).text());
  attempt("beacon " + path, () => navigator.sendBeacon(target + path, body) && "");
}
attempt("form", () => new Promise((done) => {
  const form = document.createElement("form");
  Object.assign(form, {method: "POST", action: target + "/model/predict", target: "sink"});
  for (const [name, value] of [["sql", "select echo(array(feature)) as value"], ["data", '["from evil"]']]) {
    const field = document.createElement("input");
    Object.assign(field, {name, value}); form.append(field);
  }
  document.body.append(form); form.submit(); setTimeout(() => done(""), 800);
}));
attempt("image", () => new Promise((done) => {
  const image = new Image(); image.onload = () => done("loaded"); image.onerror = () => done("");
  image.src = target + "/console/assets/icon.svg";
}));
attempt("script", () => new Promise((done) => {
  const script = document.createElement("script");
  script.onload = () => done("loaded"); script.onerror = () => done("");
  script.src = target + "/console/assets/console.js"; document.body.append(script);
}));
attempt("frame", () => new Promise((done) => {
  const frame = document.createElement("iframe"); frame.src = target + "/";
  frame.onload = () => { try { done(frame.contentDocument.body.innerText); } catch { done(""); } };
  document.body.append(frame); setTimeout(() => done(""), 2000);
}));
attempt("window", () => new Promise((done) => {
  const other = open(target + "/");
  setTimeout(() => { try { done(other ? String(other.document.body.innerText) : ""); } catch { done(""); } }, 1500);
}));
Promise.all(tried).then(() => { document.title = "done"; window.seen = seen; });
</script><iframe name="sink"></iframe></body>"""


@pytest.fixture
def hostile(console_address: str) -> Iterator[str]:
    """The address of another site on this machine, whose page attacks the gateway."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = HOSTILE.replace("TARGET", json.dumps(console_address)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def made_calls() -> list[dict[str, Any]]:
    store = CallStore(home_folder() / "calls.sqlite")
    calls = store.calls(100)
    store.close()
    return calls


@pytest.mark.parametrize("own_port", ["another port of this machine", "another name of this machine"])
def test_a_hostile_page_reads_nothing_and_calls_nothing(
    browser: BrowserContext, consoles: NewConsole, hostile: str, own_port: str
) -> None:
    console = consoles()
    console.open()  # A person has the console open in the same browser.
    address = hostile if own_port.startswith("another name") else hostile.replace("localhost", "127.0.0.1")
    page = console.page.context.new_page()
    page.goto(address)
    page.wait_for_function("window.seen")
    seen = page.evaluate("seen")
    assert len(seen) == 4 + 3 * 5 + 5
    read = {name: text for name, text in seen.items() if text and not str(text).startswith("failed: ")}
    assert not read, read
    assert made_calls() == []


def test_a_name_that_turns_to_this_machine_is_refused(browser: BrowserContext, console_address: str) -> None:
    assert browser.browser
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP evil.test 127.0.0.1"]
    chromium = browser.browser.browser_type.launch(executable_path=chromium_program(), args=arguments)
    page = chromium.new_page()
    reply = page.goto(f"http://evil.test:{console_address.rpartition(':')[2]}/")
    assert reply
    assert reply.status == 421
    assert page.evaluate("fetch('/console/session').then(reply => reply.status)") == 421
    chromium.close()


def write_hostile_shop() -> None:
    """Let every name, comment and value of a database be a payload."""
    path = home_folder() / "evil.duckdb"
    with duckdb.connect(str(path)) as evil:
        columns = ", ".join(f"{quote_identifier(payload)} VARCHAR" for payload in PAYLOADS)
        evil.execute(f"CREATE TABLE wide ({columns})")
        evil.execute(f"INSERT INTO wide VALUES ({', '.join(map(quote_literal, PAYLOADS))})")
        evil.execute("CREATE TABLE long (place INTEGER, text VARCHAR)")
        evil.executemany("INSERT INTO long VALUES (?, ?)", list(enumerate(PAYLOADS)))
        for place, payload in enumerate(PAYLOADS):
            table = quote_identifier(f"t{place} {payload}")
            evil.execute(f"CREATE TABLE {table} (a INTEGER)")
            evil.execute(f"COMMENT ON TABLE {table} IS {quote_literal(payload)}")
            evil.execute(f"COMMENT ON COLUMN {table}.a IS {quote_literal(payload)}")
    databases = {PAYLOADS[2]: f"duckdb:///{path}"}
    (home_folder() / "databases.yaml").write_text(json.dumps(databases), "utf-8")


def watched(console: Console) -> Console:
    """Let whatever a payload runs be a complaint."""
    console.page.expose_function("pwned", lambda number: console.complaints.append(f"payload {number} ran"))
    return console


def check(console: Console) -> None:
    """Check that no payload has become an element, or has been run."""
    assert console.page.evaluate(INJECTED) == []
    assert console.complaints == []


def test_names_comments_and_values_are_text(consoles: NewConsole) -> None:
    write_hostile_shop()
    console = watched(consoles())
    section = console.open()
    summaries = section.locator(".schema summary")
    expect(summaries).to_have_count(len(PAYLOADS) + 2)
    section.locator(".schema details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    check(console)
    for payload in PAYLOADS[:4]:
        console.ask(payload)
    check(console)
    section = console.open("sql")
    wide = console.run("SELECT * FROM wide")
    expect(wide.locator("thead th")).to_have_count(len(PAYLOADS) + 1)
    wide.locator("tbody tr").first.click()
    expect(console.page.get_by_role("dialog").locator("dd")).to_have_text(PAYLOADS)
    check(console)
    console.page.keyboard.press("Escape")
    long = console.run("SELECT text, place FROM long")
    long.get_by_role("button", name="Chart").click()
    expect(long.get_by_role("img")).to_be_visible()
    check(console)
    console.run(f"SELECT {quote_literal(PAYLOADS[0])} AS {quote_identifier(PAYLOADS[2])}")
    check(console)


def test_answers_are_text_whatever_markdown_they_hold(consoles: NewConsole) -> None:
    console = watched(consoles())
    section = console.open("chat")
    section.get_by_label("Model", exact=True).select_option("echo")
    for place, payload in enumerate(PAYLOADS):
        console.say(payload)
        expect(section.locator(".message.assistant footer")).to_have_count(place % 16 + 1)
        check(console)
        if place % 16 == 15:
            section.get_by_role("button", name="New chat").click()


def answer_with(console: Console, path: str, value: Any) -> None:
    """Let a route answer with this value in place of the gateway."""
    body = json.dumps(value)
    console.page.unroute(path)
    console.page.route(path, lambda route: route.fulfill(status=200, content_type="application/json", body=body))


def test_errors_warnings_and_what_was_sent_are_text(consoles: NewConsole) -> None:
    """The gateway's own words hold what services and databases say; here each of its fields holds a payload."""
    console = watched(consoles())
    section = console.open()
    for payload in PAYLOADS:
        answer = {
            **{"sql": payload, "error": {"code": payload, "message": payload}, "model": payload, "attempts": 1},
            **{"seconds": 0.1, "calls": 1, "input_tokens": 1, "output_tokens": 1, "money": None},
            **{"sent": [{"messages": [{"role": "user", "content": payload}], "answer": payload, "calls": 1}]},
            **{"warnings": [payload], "alternatives": [payload], "confidence": 0.5},
        }
        answer_with(console, "**/console/question", answer)
        progress = {"calls": 0, "done": 0, "failed": 0, "expected": 0, "tokens": 0, "money": None, "seconds": 0}
        line = {"progress": progress, "error": {"code": payload, "message": f"{payload}\n{payload}"}}
        answer_with(console, "**/console/sql", line)
        console.page.get_by_label("Question", exact=True).fill(payload)
        console.page.keyboard.press("Enter")
        section.locator(".answer").first.get_by_role("alert").wait_for()
        check(console)
    section.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    check(console)


def test_models_keys_and_figures_are_text(consoles: NewConsole) -> None:
    console = watched(consoles())
    spent = {"calls": 1, "tokens": 1, "money": 1.0}
    limits = dict.fromkeys(("requests_per_minute", "tokens_per_minute", "most_at_once", "max_tokens", "max_money"))
    keys = [
        {"name": each, "made": each, "admin": True, "models": [each], "max_calls": 9, "spent": spent, **limits}
        for each in PAYLOADS
    ]
    model = {
        "builtin": False,
        "chats": True,
        "price": None,
        "workers": 1,
        "replicas": [],
        "queued": 0,
        "output_tokens": 0,
    }
    models = [{"name": each, "type": each, "place": each, "deploy": each, **model} for each in PAYLOADS]
    numbers = {"calls": 1, "failed": 1, "input_tokens": 1, "output_tokens": 1, "money": None, "engine": "x"}
    rows = [{"start": 0, "model": each, **numbers} for each in PAYLOADS]
    usage = {"since": 0, "period": 86400, "periods": 7, "rows": rows}
    for path, value in (("keys", keys), ("models", models), ("usage*", usage)):
        answer_with(console, f"**/console/{path}", value)
    expect(console.open("models").locator(".model")).to_have_count(len(PAYLOADS))
    check(console)
    expect(console.open("usage").locator(".keys tbody tr")).to_have_count(len(PAYLOADS))
    check(console)
