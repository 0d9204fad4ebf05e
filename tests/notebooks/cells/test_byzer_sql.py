"""Byzer's SQL runs as it is where a cell can be nothing else, or one line says what to type in its place."""

from __future__ import annotations

import pytest
from quackllm.notebooks.cells.byzer import as_magic
from quackllm.notebooks.cells.byzer_sql import parse_options, parse_select, split_statements

from standin.fixtures import StandIn

CONNECT = """\
-- 连接一个已经部署好的模型
!byzerllm setup single;

run command as LLM.`` where 
action="infer"
and reconnect="true"
and pretrainedModelType="saas/*"
and udfName="qianwen_chat";
"""
FIRST_SQL = """\
select 
kimi_chat(llm_param(map(
              "instruction",'我是威廉，请记住我是谁。'
)))

as response as table1;

select llm_result(response) as result from table1 as output;
"""
SECOND_SQL = """\
select 
kimi_chat(llm_stack(response,llm_param(map(
              "instruction",'请问我是谁？'
))))

as response from table1
as table2;

select llm_result(response) as result from table2 as output;
"""


@pytest.mark.usefixtures("both_models")
def test_the_quickstarts_connect_cell_says_that_the_model_answers(notebook):
    said = notebook.run_ok(CONNECT).text.strip()
    assert said.startswith("qianwen_chat is deployed")
    assert "\n" not in said


@pytest.mark.usefixtures("both_models")
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (CONNECT.replace("qianwen_chat", "qianwen_chta"), "did you mean 'qianwen_chat'"),
        (CONNECT.replace("qianwen_chat", "nobody"), "type: !quackllm deploy nobody saas/qianwen"),
        ('run command as LLM.`` where action="finetune" and x="y";', "type: !quackllm finetune"),
        ('run command as LLM.`` where action="merge";', "type: !quackllm merge"),
        ('RUN COMMAND AS LLM.`` WHERE udfName="nobody" and localModelDir="/m";', "custom/auto --model_path /m"),
        ('!byzerllm model remove "kimi_chat";', "type: !quackllm undeploy kimi_chat"),
        ("!byzerllm deploy --model x", "type: !quackllm deploy"),
        ("%%byzer\nload csv.`/tmp/x.csv` where header='true' as t;", "FROM 'data.csv'"),
        ("%%sql\n" + FIRST_SQL, "type: CREATE OR REPLACE TABLE table1 AS SELECT"),
        ('%%sql\nselect map("k", "v")', "MAP {'key': 'value'}"),
        ("%%sql\n" + CONNECT, "begin the cell with %%byzer"),
    ],
)
def test_what_there_is_not_says_in_one_line_what_to_type(notebook, cell: str, said: str):
    assert said in " ".join(notebook.panel(cell).replace("│", " ").split())


@pytest.mark.usefixtures("both_models")
def test_a_key_in_a_connect_cell_is_not_shown(notebook):
    cell = 'run command as LLM.`` where action="infer" and udfName="x" and `saas.api_key`="sk-secret-0123";'
    assert "sk-secret" not in notebook.panel(cell)


@pytest.mark.usefixtures("both_models")
def test_the_quickstarts_sql_runs_unchanged(notebook, service: StandIn):
    notebook.run_ok(FIRST_SQL)
    assert "你是威廉" in notebook.run_ok(SECOND_SQL).text
    connection = notebook.names["connection"]
    assert connection.execute("SELECT llm_result(response) FROM table2").fetchall() == [("你是威廉。",)]
    notebook.run_ok(SECOND_SQL)
    assert service.count() == 2, "nothing is asked twice, and its own tables may be made again"


@pytest.mark.usefixtures("both_models")
def test_maps_and_texts_as_byzer_writes_them(notebook):
    assert "{k=v}" in notebook.run_ok('select map("k", "v")').text
    notebook.run_ok("""select map("k", '''it's; "so"''') as m as t1;""")
    assert notebook.names["connection"].execute("SELECT m['k'] FROM t1").fetchone() == ("""it's; "so\"""",)
    ran = notebook.run_ok('select llm_response_predict(kimi_chat(llm_param(map("instruction", "x")))) as a as t2;')
    assert "answer to: x" in ran.text


@pytest.mark.usefixtures("both_models")
def test_a_table_of_the_users_own_is_not_replaced(notebook):
    notebook.run_ok("%sql CREATE TABLE orders AS SELECT 1 AS a")
    assert "there is a table orders already" in notebook.panel('select map("k", "v") as m as orders;')
    assert notebook.names["connection"].execute("FROM orders").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "cell",
    [
        "select = 3",
        "select(1)",
        "select\n",
        "select * 3",
        'with open("x") as f:\n    pass\n',
        "SELECT 1",
        "run = map(str, [1])",
        "!ls -l",
        "!byzerllm_other",
        "x = '''\nselect map(\"k\") as t as u;\n'''",
        "%%sql\nselect 1 as a as b;",
        "# select 1 as a as b;",
    ],
)
def test_cells_that_can_be_something_else_are_left_alone(cell: str):
    lines = cell.splitlines(keepends=True)
    assert as_magic(lines) == lines


def test_statements_end_where_byzer_ends_them():
    text = """!byzerllm setup single
    select ';' as a, "x;" as `b;` -- as no;
    as t1; /* ; */ select 'it\\'s;'"""
    assert [statement.split()[0] for statement in split_statements(text)] == ["!byzerllm", "select", "select"]
    assert parse_select(split_statements(text)[1]).table == "t1"
    assert parse_options("run command as LLM.`` where a=\"1\" and `b.c`='2' and d='''3 \"x\"'''") == {
        "a": "1",
        "b.c": "2",
        "d": '3 "x"',
    }
