"""Rows on the console: ten thousand of them, one of them whole, their headers and times, and their file."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from support.console_browser import Console


def test_ten_thousand_rows_are_a_few_dozen_elements_and_all_are_there(console: Console) -> None:
    console.open("sql")
    outcome = console.run("SELECT id, visitor, seconds FROM visits ORDER BY id")
    expect(outcome.locator(".results-foot")).to_contain_text("the first 1,000 rows; there are more")
    outcome.get_by_role("button", name="Show at most 10,000 rows").click()
    expect(outcome.locator(".results-foot")).to_contain_text(re.compile(r"^10,000 rows"))
    frame = outcome.locator(".table-frame")
    assert frame.locator("tr").count() < 100
    frame.evaluate("frame => frame.scrollTo(0, frame.scrollHeight)")
    expect(frame.get_by_role("button", name="Show the whole of row 10,000")).to_be_visible()
    expect(frame.locator("tbody tr:not(.spacer)").last).to_contain_text("9999")
    frame.get_by_role("button", name="id", exact=True).click()
    frame.get_by_role("button", name=re.compile("^id")).click()
    expect(frame.locator("tbody tr:not(.spacer)").first.locator("td").nth(1)).to_have_text("9999")
    assert frame.locator("tr").count() < 100


def test_a_whole_row_and_the_file_of_all_rows(console: Console) -> None:
    console.open("sql")
    outcome = console.run("""SELECT 1 AS n, 'a "quoted", text' AS t, NULL AS nothing UNION ALL SELECT 2, 'b', 'x'""")
    outcome.locator("tbody tr").first.click()
    dialog = console.page.get_by_role("dialog")
    expect(dialog).to_contain_text('a "quoted", text')
    expect(dialog).to_contain_text("NULL")
    console.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    with console.page.expect_download() as download:
        outcome.get_by_role("button", name="Download the rows as CSV").click()
    text = download.value.path().read_text("utf-8-sig")
    assert text.splitlines() == ["n,t,nothing", '1,"a ""quoted"", text",', "2,b,x"]


def test_a_single_value_has_a_file_too(console: Console) -> None:
    console.open("sql")
    outcome = console.run("SELECT count(*) FROM visits")
    expect(outcome.locator(".big-value")).to_contain_text("count")
    with console.page.expect_download() as download:
        outcome.get_by_role("button", name="Download the rows as CSV").click()
    assert download.value.path().read_text("utf-8-sig").splitlines() == ["count_star()", "10000"]


HEADERS = """SELECT date_trunc('month', ordered_on), date_trunc('day', ordered_on::TIMESTAMP) AS d, count(*),
round(sum((amount * 2)), 1), min(ordered_on + TIME '10:00') FROM orders GROUP BY ALL ORDER BY 2 LIMIT 3"""


def test_headers_are_plain_and_times_are_as_short_as_they_are_whole(console: Console) -> None:
    console.open("sql")
    outcome = console.run(HEADERS)
    headers = outcome.locator("thead button").all_inner_texts()
    assert [text.strip() for text in headers] == [
        *("month", "d", "count", "sum(amount * 2)", "min((ordered_on + CAST('10:00' AS TIME)))")
    ]
    cells = outcome.locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells[1:4] == ["2025-01", "2025-01-01", "2"]
    assert cells[5] == "2025-01-01 10:00:00"
    with console.page.expect_download() as download:
        outcome.get_by_role("button", name="Download the rows as CSV").click()
    first = download.value.path().read_text("utf-8-sig").splitlines()[1]
    assert first.startswith("2025-01-01 00:00:00,2025-01-01 00:00:00,2,")
