"""The page at `/`: a browser gets it, a program the API's addresses; and nothing in it can load, run or be framed."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from quackllm.deploy.gateway.console.page import SAFE_HEADERS

from support.gateway_in_process import client

ASSETS = Path(__file__).parents[4] / "deploy/gateway/console/assets"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
MOST_BYTES = 400_000


def test_a_browser_gets_the_page_and_a_program_the_addresses() -> None:
    gateway = client()
    page = gateway.get("/", headers=BROWSER)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<div id="app">' in page.text
    addresses = gateway.get("/").json()
    assert addresses["name"] == "quackllm"
    for name in ("models", "openapi", "docs"):
        assert gateway.get(addresses[name]).status_code == 200


def test_a_post_to_the_same_address_is_chat2db_s() -> None:
    reply = client().post("/?model=echo", json={"prompt": "hello"})
    assert reply.json() == "echo: hello"


def test_every_file_has_the_headers_that_keep_strangers_out() -> None:
    gateway = client()
    for path in ("/", *(f"/console/assets/{file.name}" for file in ASSETS.iterdir())):
        headers = gateway.get(path, headers=BROWSER).headers
        assert {name: headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS, path
    policy = SAFE_HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_the_page_holds_no_script_no_style_and_no_address_of_elsewhere() -> None:
    html = (ASSETS / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://", html)
    for address in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert client().get(address).status_code == 200


def test_nothing_in_the_code_makes_html_or_code_of_text() -> None:
    code = (ASSETS / "console.js").read_text("utf-8")
    assert not re.findall(r"\beval\(|new Function\(|insertAdjacentHTML|document\.write|\.outerHTML", code)


def test_the_page_is_light_and_cached() -> None:
    gateway = client()
    plain = {"Accept-Encoding": "identity"}
    sizes = {
        file.name: len(gateway.get(f"/console/assets/{file.name}", headers=plain).content) for file in ASSETS.iterdir()
    }
    assert sum(sizes.values()) < MOST_BYTES, sizes
    with gateway.stream("GET", "/console/assets/console.js", headers={"Accept-Encoding": "gzip"}) as zipped:
        assert zipped.headers["content-encoding"] == "gzip"
        raw = b"".join(zipped.iter_raw())
    assert gzip.decompress(raw) == (ASSETS / "console.js").read_bytes()
    known = {"If-None-Match": zipped.headers["etag"]}
    assert gateway.get("/console/assets/console.js", headers=known).status_code == 304


@pytest.mark.parametrize("name", ["nothing.js", "../page.py", "..%2fpage.py", "%2e%2e/page.py", "console.js/.."])
def test_no_other_file_is_read(name: str) -> None:
    reply = client().get(f"/console/assets/{name}")
    assert reply.status_code in (404, 405)
    assert "ASSETS" not in reply.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/console/session", "/v1/models", "/console/assets/console.js"])
def test_another_site_s_page_loads_nothing_even_without_an_origin(site: str, path: str) -> None:
    from_image = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    reply = client().get(path, headers=from_image)
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "cross_origin")


def test_a_link_from_another_site_opens_the_page_and_its_form_sends_nothing() -> None:
    link = {**BROWSER, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client().get("/", headers=link).status_code == 200
    assert client().post("/console/sql", json={"sql": "SELECT 1"}, headers=link).status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.test"}, {"Origin": "null"}, {"Host": "evil.test"}])
@pytest.mark.parametrize("path", ["/console/question", "/console/sql"])
def test_another_origin_and_another_name_of_the_host_are_refused(headers: dict[str, str], path: str) -> None:
    assert client().post(path, json={"sql": "SELECT 1"}, headers=headers).status_code in (403, 421)
