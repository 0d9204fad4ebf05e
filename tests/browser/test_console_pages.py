"""What a person does on the console: asks, corrects, stops, reads rows and charts, chats, looks at models and cost."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.workers.home import home_folder

from standin.fixtures import StandIn
from support.console_browser import Console, NewConsole
from support.console_shop import TOO_LARGE_FOR_JAVASCRIPT
from support.jupyter_lab import LONG_PROMPT, SLOW_ANSWER


def allow_clipboard(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_a_question_shows_its_sql_rows_chart_prompt_and_cost(console: Console) -> None:
    console.open()
    card = console.ask("How many orders are there for each status?")
    expect(card.get_by_label("SQL statement")).to_have_value("SELECT status, COUNT(*) FROM orders GROUP BY status")
    expect(card.locator(".results-foot")).to_contain_text("4 rows")
    expect(card.locator("tbody td").filter(has_text="cancelled")).to_be_visible()
    card.get_by_role("button", name="Chart").click()
    expect(card.get_by_role("img", name="count / status")).to_be_visible()
    expect(card.locator(".answer-foot")).to_contain_text("builtin_text2sql")
    card.get_by_text("What was sent to the model").click()
    expect(card.locator(".sent-message").first).to_contain_text("# Table: orders")


def test_the_sql_is_corrected_run_again_and_the_correction_undone(console: Console) -> None:
    console.open()
    card = console.ask("How many customers are there?")
    expect(card.locator(".big-number")).to_have_text("120")
    editor = card.get_by_label("SQL statement")
    editor.fill("SELECT count(*) AS n FROM customers WHERE city = 'Paris'")
    editor.press("Control+Enter")
    expect(card.locator(".big-number")).to_have_text("30")
    expect(card.get_by_text("edited")).to_be_visible()
    card.get_by_role("button", name="Undo my changes").click()
    expect(editor).to_have_value("SELECT COUNT(*) FROM customers")
    expect(card.locator(".big-number")).to_have_text("120")
    editor.fill("SELECT nope FROM customers")
    editor.press("Control+Enter")
    expect(card.get_by_role("alert")).to_contain_text('Referenced column "nope" not found')
    quoted = card.get_by_role("alert").locator(".quoted")
    expect(quoted).to_have_text("LINE 1: SELECT nope FROM customers\n               ^^^^", use_inner_text=True)
    expect(quoted).to_have_css("white-space-collapse", "preserve")
    expect(quoted).to_have_css("text-wrap-mode", "nowrap")  # A wrapped line would move away from its mark.


def test_a_follow_up_and_notes_are_sent(console: Console, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "SELECT name FROM customers"}])
    section = console.open()
    section.get_by_label("Model", exact=True).select_option("chat")
    section.get_by_role("button", name="Notes").click()
    section.get_by_label("Notes for the model").fill("A customer is a person.")
    console.ask("Who buys?")
    follow_up = section.get_by_label("Follow-up to “Who buys?”")
    follow_up.check()
    console.ask("Only from Rome")
    expect(section.get_by_label("Follow-up to “Only from Rome”")).not_to_be_checked()
    console.ask("How many orders?")
    sent = [str(request["body"]["messages"]) for request in service.requests()]
    assert all("A customer is a person." in text for text in sent)
    assert "SELECT name FROM customers" in sent[1]
    assert "Who buys?" in sent[1]
    assert "Who buys?" not in sent[2]
    console.page.reload()
    section.get_by_role("button", name="… Only from Rome").click()
    # The same request, with the question that it goes on from.
    expect(section.locator(".answer .answer-foot")).to_contain_text("from the call store, at no cost")


def test_a_question_without_sql_and_a_service_that_fails_say_what_to_do(console: Console, service: StandIn) -> None:
    section = console.open()
    card = console.ask("What is the meaning of life, the universe and everything?")
    expect(card.get_by_role("status").first).to_contain_text("The model found no SQL")
    expect(card.get_by_role("note")).to_contain_text("Choose one in the list Model, e.g. chat")
    service.script([{"fault": "wrong_key", "times": 1}, {"fault": "reply", "text": "SELECT 7"}])
    section.get_by_label("Model", exact=True).select_option("chat")
    failed = console.ask("How many are seven?")
    expect(failed.get_by_role("alert")).to_contain_text("Incorrect API key provided")
    failed.get_by_role("button", name="Try again").click()
    expect(failed.locator(".big-number")).to_have_text("7")


def test_confidence_warnings_and_other_readings_are_shown(console: Console) -> None:
    answer = {
        **{"sql": "SELECT 1 AS one", "error": None, "model": "chat", "attempts": 1, "seconds": 0.1, "sent": []},
        **{"calls": 1, "input_tokens": 1, "output_tokens": 1, "money": None, "confidence": 0.62},
        **{"warnings": ["no city is called 'Pariss'"], "alternatives": ["SELECT 2 AS two"]},
    }
    console.open()
    console.page.route("**/console/question", lambda route: route.fulfill(json=answer))
    card = console.ask("How many from Pariss?")
    expect(card.locator(".confidence")).to_have_text("Confidence 62 %")
    expect(card.get_by_role("note")).to_contain_text("no city is called 'Pariss'")
    card.get_by_label("SQL statement").fill("SELECT 3")
    expect(card.locator(".confidence")).to_have_count(0)  # It was said of other SQL, and so was the warning.
    expect(card.get_by_role("note")).to_have_count(0)
    card.get_by_role("button", name="Undo my changes").click()
    expect(card.locator(".confidence")).to_be_visible()
    expect(card.locator(".answer-foot")).to_contain_text("no price known")
    card.get_by_text("Other readings of the question").click()
    card.get_by_role("button", name="Use this one").click()
    expect(card.locator(".big-number")).to_have_text("2")
    expect(card.locator(".confidence")).to_have_count(0)
    answer |= {"sql": None, "error": {"code": "unclear", "message": "Which year?"}}
    expect(console.ask("How much last year?").locator(".notice").first).to_contain_text("The model asks back")


def test_votes_show_the_answer_of_the_most(console: Console, service: StandIn) -> None:
    lonely, common = "SELECT count(*) FROM orders", "SELECT count(*) FROM customers"
    service.script([{"fault": "reply", "text": lonely, "times": 1}, {"fault": "reply", "text": common}])
    section = console.open()
    section.get_by_label("Model", exact=True).select_option("builtin_text2sql")
    expect(section.get_by_label("Votes")).to_have_count(0)  # It answers the same each time.
    section.get_by_label("Model", exact=True).select_option("chat")
    section.get_by_label("Votes").select_option("3")
    card = console.ask("How many are there?")
    expect(card.locator(".big-number")).to_have_text("120")
    expect(card.locator(".answer-foot")).to_contain_text("3 calls")
    card.get_by_text("Other readings of the question").click()
    expect(card.locator(".alternative")).to_contain_text(lonely)


def test_a_question_is_stopped(console: Console, service: StandIn) -> None:
    service.script([{"fault": "hang"}])
    section = console.open()
    section.get_by_label("Model", exact=True).select_option("chat")
    console.page.get_by_label("Question", exact=True).fill("How many customers?")
    console.page.keyboard.press("Enter")
    section.get_by_role("button", name="Stop").click()
    expect(section.locator(".answer")).to_contain_text("Stopped.")
    wait_until_idle(service)


def wait_until_idle(service: StandIn) -> None:
    deadline = time.monotonic() + 10
    while service.state()["under_way"]:
        assert time.monotonic() < deadline, "the service is still asked"
        time.sleep(0.1)


def test_questions_are_there_after_a_restart_until_they_are_cleared(console: Console) -> None:
    section = console.open()
    console.ask("How many customers are there?")
    console.page.reload()
    earlier = section.locator(".earlier")
    expect(earlier).to_contain_text("This browser keeps them on this computer.")
    earlier.get_by_role("button", name="How many customers are there?").click()
    expect(section.locator(".answer .big-number")).to_have_text("120")
    assert earlier.get_by_role("button").count() == 1  # What is asked above is not listed twice.
    earlier.get_by_role("button", name="Clear the list").click()
    expect(earlier).to_have_count(0)
    console.page.reload()
    section.locator("h1").wait_for()
    expect(earlier).to_have_count(0)
    assert "customers" not in console.page.evaluate("JSON.stringify(localStorage)")


def test_the_tables_say_what_they_count(console: Console) -> None:
    section = console.open()
    expect(section.locator("aside summary").filter(has_text="customers")).to_have_text("customers 5 columns")


def test_models_answer_for_each_row_with_progress_a_budget_and_stop(console: Console, service: StandIn) -> None:
    section = console.open("sql")
    expect(section.get_by_label("Model", exact=True)).to_have_value("chat")
    section.get_by_label("The most calls of models").fill("5")
    statement = "SELECT id, ai_complete('Say: ' || body) AS answer FROM reviews ORDER BY id LIMIT 12"
    outcome = console.run(statement)
    expect(outcome).to_contain_text("The statement stopped at 5 calls.")
    service.script([{"fault": "slow", "seconds": 1.5}])
    outcome.get_by_role("button", name="Allow 50 calls and go on").click()
    expect(outcome.locator("progress")).to_be_visible()
    expect(outcome.locator(".results-foot")).to_contain_text("7 calls")
    assert service.count() == 12
    service.script([{"fault": "hang"}])
    section.get_by_label("SQL statement").fill("SELECT ai_complete('Hang: ' || id) FROM reviews LIMIT 3")
    section.get_by_role("button", name="Run", exact=True).click()
    expect(outcome).to_contain_text("0 of 3 calls")
    outcome.get_by_role("button", name="Stop").click()
    expect(outcome).to_contain_text("Stopped.")
    wait_until_idle(service)


def test_a_statement_that_only_computes_is_stopped_too(console: Console) -> None:
    section = console.open("sql")
    section.get_by_label("SQL statement").fill("SELECT count(*) FROM range(100000000000)")
    section.get_by_role("button", name="Run", exact=True).click()
    section.locator(".running").get_by_role("button", name="Stop").click()
    expect(section.locator(".outcome")).to_contain_text("Stopped.")
    outcome = console.run("SELECT 42 AS answer")
    expect(outcome.locator(".big-number")).to_have_text("42")


def test_another_kind_of_database_runs_plain_sql_with_all_digits(console: Console) -> None:
    section = console.open("sql")
    section.get_by_label("Database", exact=True).select_option("singers")
    expect(section).to_contain_text("Model functions run on DuckDB databases.")
    outcome = console.run("SELECT id, name FROM singer WHERE born > date('1990-01-01') UNION SELECT 2, 'x'")
    expect(outcome.locator("tbody")).to_contain_text(str(TOO_LARGE_FOR_JAVASCRIPT))
    refused = console.run("DELETE FROM singer")
    expect(refused.get_by_role("alert")).to_contain_text("this cannot run here: it is not a SELECT: DELETE")


def test_a_function_and_a_column_are_inserted_and_a_sample_runs(console: Console) -> None:
    section = console.open("sql")
    section.get_by_role("button", name="Look at a table").click()
    expect(section.get_by_label("SQL statement")).to_have_value(re.compile(r"^SELECT \* FROM \w+ LIMIT 100$"))
    section.get_by_label("SQL statement").fill("")
    section.get_by_role("button", name="ai_sentiment").click()
    expect(section.get_by_label("SQL statement")).to_have_value("ai_sentiment(text)")


def test_an_answer_grows_is_stopped_and_becomes_sql_that_costs_nothing(console: Console, service: StandIn) -> None:
    allow_clipboard(console.page)
    section = console.open("chat")
    console.say("Hello, my name is Ada. It's me.")
    expect(section.locator(".message.assistant")).to_contain_text("answer to: Hello")
    expect(section.locator(".message.assistant footer")).to_contain_text("tokens")
    console.say("What is my name?")
    expect(section.locator(".message.assistant").last).to_contain_text("Your name is Ada.")
    section.get_by_role("button", name="Copy as SQL").click()
    sql = clipboard(console.page)
    count = service.count()
    console.open("sql")
    outcome = console.run(sql)
    expect(outcome.locator(".big-number")).to_have_text("Your name is Ada.")
    assert service.count() == count
    service.script([SLOW_ANSWER])
    section = console.open("chat")
    console.say(LONG_PROMPT)
    answer = section.locator(".message.assistant").last
    expect(answer).to_contain_text("the duck number 3")
    section.get_by_role("button", name="Stop").click()
    expect(answer).to_contain_text("Stopped.")
    assert "number 39" not in answer.inner_text()
    wait_until_idle(service)


def test_a_chat_that_fails_keeps_what_was_said_and_is_tried_again(console: Console, service: StandIn) -> None:
    service.script([{"fault": "quota", "times": 1}])
    section = console.open("chat")
    console.say("hello")
    expect(section.get_by_role("alert")).to_contain_text("You exceeded your current quota")
    section.get_by_role("button", name="Try again").click()
    expect(section.locator(".message.assistant")).to_contain_text("answer to: hello")
    expect(section.get_by_role("alert")).to_be_hidden()
    console.page.reload()
    expect(section.locator(".message.assistant")).to_contain_text("answer to: hello")
    section.get_by_role("button", name="New chat").click()
    expect(section.locator(".message")).to_have_count(0)


def test_models_and_usage_follow_what_happens(console: Console) -> None:
    console.open("chat")
    console.say("hello")
    expect(console.page.locator(".message.assistant footer")).to_be_visible()
    models = console.open("models")
    card = models.locator(".model").filter(has_text="openai")
    expect(card.locator("dd").nth(4)).to_have_text("1")
    expect(card.locator(".copy-line code")).to_contain_text("quackllm deploy chat openai")
    usage = console.open("usage")
    expect(usage.locator(".tile").first).to_contain_text("1")
    expect(usage.get_by_role("region", name="By model")).to_contain_text("chat")
    for name in ("24 hours", "30 days", "Output tokens", "Cost"):
        usage.get_by_role("button", name=name).click()
    expect(usage.get_by_role("img")).to_be_visible()


def test_a_key_opens_the_console_and_shows_its_budget(consoles: NewConsole) -> None:
    alice = add_key(home_folder() / "keys.yaml", "alice", max_calls=100, models=["chat", "builtin_text2sql"])
    root = add_key(home_folder() / "keys.yaml", "root", admin=True)
    console = consoles()
    page = console.page
    page.goto(console.address)
    page.get_by_label("API key").fill("qk-wrong")
    page.get_by_role("button", name="Open the console").click()
    expect(page.get_by_role("alert")).to_contain_text("This key is not known here.")
    page.get_by_label("API key").fill(alice)
    page.get_by_role("button", name="Open the console").click()
    console.ask("How many customers are there?")
    usage = console.open("usage")
    page.reload()
    expect(usage).to_contain_text("An admin key shows the calls of all keys")
    expect(usage.locator(".keys")).to_contain_text(re.compile(r"[1-9] of 100"))
    page.get_by_role("button", name="Forget the key").click()
    page.get_by_label("API key").fill(root)
    page.get_by_role("button", name="Open the console").click()
    expect(usage.locator(".keys")).to_contain_text("alice")
    assert root not in page.evaluate("JSON.stringify(localStorage)")


def test_the_keyboard_alone_is_enough(console: Console) -> None:
    console.open()
    page = console.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Question", exact=True)).to_be_focused()
    page.keyboard.type("How many orders are there for each status?")
    page.keyboard.press("Enter")
    card = page.locator(".answer")
    card.locator(".results-foot").wait_for()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Show the whole of row 1":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_gateway_that_is_gone_is_said_to_be_gone(console: Console) -> None:
    section = console.open("chat")
    console.page.route("**/v1/**", lambda route: route.abort())
    console.say("hello")
    expect(section.get_by_role("alert")).to_contain_text("The gateway does not answer.")


def test_without_a_database_the_page_says_which_line_to_write(consoles: NewConsole) -> None:
    (home_folder() / "databases.yaml").write_text("{}", "utf-8")
    console = consoles()
    section = console.open()
    expect(section).to_contain_text("No database is set up yet")
    (home_folder() / "databases.yaml").write_text(f"shop: duckdb:///{home_folder()}/shop.duckdb\n", "utf-8")
    section.get_by_role("button", name="Check again").click()
    expect(section.get_by_label("Question", exact=True)).to_be_visible()


@pytest.mark.parametrize("language", ["zh-CN", "zh-TW"])
def test_a_chinese_reader_asks_in_chinese(consoles: NewConsole, language: str) -> None:
    console = consoles(locale=language)
    section = console.open()
    expect(section.locator("h1")).to_have_text("向数据提问")
    assert console.page.evaluate("document.documentElement.lang") == "zh-CN"
    section.get_by_label("问题", exact=True).fill("每个城市有多少顾客？")
    console.page.keyboard.press("Enter")
    card = section.locator(".answer")
    card.locator(".results-foot, .notice").first.wait_for()
    expect(card).to_contain_text("builtin_text2sql")
    console.page.get_by_role("button", name="English").click()
    expect(section.locator("h1")).to_have_text("Ask your data")


def test_a_chinese_reader_reads_why_in_chinese(consoles: NewConsole) -> None:
    console = consoles(locale="zh-CN")
    section = console.open()
    section.get_by_label("问题", exact=True).fill("delete all customers")
    console.page.keyboard.press("Enter")
    expect(section.locator(".answer .notice").first).to_contain_text("内置模型只读取数据")
    console.page.get_by_role("button", name="English").click()
    expect(section.locator(".answer .notice").first).to_contain_text("the built-in model only reads data")
    console.page.get_by_role("button", name="中文").click()
    sql = console.open("sql")
    sql.get_by_label("SQL 语句").fill("DROP TABLE customers")
    console.page.keyboard.press("Control+Enter")
    expect(sql.get_by_role("alert")).to_contain_text("不能在此运行：不是 SELECT 语句：DROP")
