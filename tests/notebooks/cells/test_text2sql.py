"""`%%text2sql` and `%ask`: the SQL to edit, its rows, a chart, and a conversation of questions."""

from __future__ import annotations

import pytest
from quackllm.udf.text2sql.schema.catalog import read_catalog

from standin.fixtures import StandIn

SINGERS = """%%sql
CREATE TABLE singer (id INTEGER PRIMARY KEY, name VARCHAR, country VARCHAR, age INTEGER);
INSERT INTO singer VALUES (1, 'Ann', '法国', 32), (2, 'Bo', '中国', 27), (3, 'Cy', '法国', 45)"""
BY_COUNTRY = "SELECT country, count(*) AS singers FROM singer GROUP BY country ORDER BY country"


def says(sql: str) -> list[dict[str, str]]:
    return [{"fault": "reply", "text": f"```sql\n{sql}\n```"}]


@pytest.mark.usefixtures("chat_model")
def test_the_sql_can_be_edited_and_its_rows_make_a_chart(notebook, service: StandIn) -> None:
    notebook.run_ok(SINGERS)
    service.script(says(BY_COUNTRY))
    ran = notebook.run_ok("%%text2sql\nHow many singers are there in each country?")
    assert notebook.shell.rl_next_input == f"%%sql\n{BY_COUNTRY}"
    assert 'class="quackllm-sql"' in ran.html
    assert 'class="quackllm-chart"' in ran.html
    assert "currentColor" in ran.html
    assert "中国" in ran.html
    assert BY_COUNTRY in ran.text
    assert ran.value.rows.arrow.to_pydict() == {"country": ["中国", "法国"], "singers": [1, 2]}
    notebook.shell.rl_next_input = None
    notebook.run_ok("%%text2sql\nHow many singers are there in each country?")
    assert notebook.shell.rl_next_input is None, "offered once"


@pytest.mark.usefixtures("chat_model")
def test_the_next_question_refines_the_one_before(notebook, service: StandIn) -> None:
    notebook.run_ok(SINGERS)
    notebook.shell.rl_next_input = None
    service.script(says(BY_COUNTRY))
    notebook.run_ok("%ask --output t1 How many singers are there in each country?")
    assert notebook.shell.rl_next_input is None
    service.script(says("SELECT name FROM singer WHERE age > 30"))
    ran = notebook.run_ok('%%ask --input t1 --output t2\nOnly those over 30, it\'s "them"; DROP TABLE singer')
    sent = service.requests()[-1]["body"]["messages"]
    assert any(BY_COUNTRY in message["content"] for message in sent if message["role"] == "assistant")
    assert "Ann" in ran.text
    assert "Bo" not in ran.html
    assert "quackllm-chart" not in ran.html
    connection = notebook.names["connection"]
    assert connection.execute("SELECT sql FROM t2").fetchall() == [("SELECT name FROM singer WHERE age > 30",)]
    (more,) = connection.execute("SELECT (text2sql_detail(llm_stack(t2, 'again'))).sql FROM t2").fetchone()
    assert more == "SELECT name FROM singer WHERE age > 30"
    assert [table.name for table in read_catalog(connection).tables] == ["singer"], "turns are not asked about"


@pytest.mark.usefixtures("chat_model")
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("DROP TABLE singer", "may not run"),
        ("SELECT nothing FROM singer", "nothing"),
        ("SELECT * FROM read_csv('/etc/passwd')", "may not run"),
    ],
)
def test_sql_that_may_not_run_is_a_panel(notebook, service: StandIn, answer: str, message: str) -> None:
    notebook.run_ok(SINGERS)
    service.script(says(answer))
    assert message in notebook.panel("%ask Who?")
    assert notebook.run_ok("%sql SELECT count(*) AS n FROM singer").value.arrow.to_pydict() == {"n": [3]}


@pytest.mark.usefixtures("chat_model")
def test_sql_for_a_schema_that_is_only_described_is_not_run(notebook, service: StandIn) -> None:
    notebook.run_ok(SINGERS)
    service.script(says("SELECT name FROM singer"))
    ran = notebook.run_ok("%ask --schema 'CREATE TABLE singer (name VARCHAR)' Who sings?")
    assert "not run" in ran.text
    assert "Ann" not in ran.text


@pytest.mark.usefixtures("chat_model")
def test_rows_are_limited(notebook, service: StandIn) -> None:
    notebook.run_ok(SINGERS)
    service.script(says("SELECT name FROM singer ORDER BY name"))
    assert notebook.run_ok("%ask --rows 1 Who sings?").value.rows.arrow.to_pydict() == {"name": ["Ann"]}


def test_the_built_in_model_answers_without_any_other(notebook) -> None:
    notebook.run_ok(SINGERS)
    assert notebook.run_ok("%ask How many singers are there?").value.rows.arrow.to_pylist()[0].values() is not None


def test_with_no_table_there_is_nothing_to_ask_about(notebook) -> None:
    assert "there is no table to ask about" in notebook.panel("%ask How many singers are there?")


@pytest.mark.usefixtures("chat_model")
def test_a_bound_of_ones_own_declines(notebook, service: StandIn) -> None:
    notebook.run_ok(SINGERS)
    service.script([{"fault": "reply", "text": "-- confidence: 0.4\nSELECT count(*) FROM singer"}])
    assert "too unsure" in notebook.panel("%ask --min_confidence 0.5 How many singers are there?")


@pytest.mark.usefixtures("chat_model")
def test_notes_votes_and_the_prompt_are_options_like_everywhere(notebook, service: StandIn) -> None:
    notebook.run_ok(SINGERS)
    service.script(says("SELECT name FROM singer WHERE age > 40") * 2)
    ran = notebook.run_ok('%ask --votes 3 --notes "old: over 40" --show_prompt Which singers are old?')
    sent = [request["body"]["messages"] for request in service.requests()]
    assert len(sent) == 2, "two equal answers of three decide"
    assert sent[0] == sent[1]
    assert "old: over 40" in sent[0][0]["content"]
    with_sql = (
        notebook.names["connection"]
        .execute("SELECT text2sql_detail('Which singers are old?', notes := 'old: over 40', votes := 3).prompt")
        .fetchall()
    )
    assert with_sql[0][0] == "\n\n".join(f"[{each['role']}]\n{each['content']}" for each in sent[0])
    assert "<summary>prompt</summary>" in ran.html
    assert "old: over 40" in ran.html
