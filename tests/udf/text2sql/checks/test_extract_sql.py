import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.udf.text2sql.checks.extract_sql import declined, reduce_answer

SQL = "SELECT count(*) FROM singer WHERE country = 'France'"

SHAPES = {
    "bare": SQL,
    "semicolon": f"{SQL};",
    "semicolons and space": f"  {SQL} ; ;\n",
    "block": f"```sql\n{SQL};\n```",
    "block without a mark": f"```\n{SQL}\n```",
    "block on one line": f"```sql {SQL} ```",
    "block of another dialect": f"```postgresql\n{SQL}\n```",
    "block that never closes": f"Here you are:\n```sql\n{SQL}",
    "block that the prompt opened": f"{SQL};\n```\n\nThis query counts the singers. See `SELECT` in the manual.",
    "prose around": f"To count them, use this query:\n\n```sql\n{SQL};\n```\n\nIt selects the singers FROM France.",
    "prose without a block": f"The query is:\n{SQL};\nIt returns one row.",
    "prose behind, no semicolon": f"{SQL}\n\nThis query counts the singers from France.",
    "the seed's answer": "To answer the question, the SQL query would look in `singer`. Here is the SQL query:"
    f"\n\n\n{SQL};\n\n\nNote that the comparison is done as a string; it will work as intended.",
    "runs on into the next example": f"{SQL};\n\n### Input: 哪一年成立? ### Context: CREATE TABLE department (creation",
    "runs on without a semicolon": f"{SQL}\n\n### Context: CREATE TABLE x (a INT)",
    "runs on within the line": f"{SQL} ### Response: SELECT 2",
    "a cut mark behind": f"{SQL}\n\n##",
    "label": f"SQL: {SQL}",
    "label in bold": f"**SQL Query:** {SQL};",
    "label of the answer": f"Final answer: {SQL}",
    "sentence": f"You can use {SQL}.",
    "inline code": f"Use `{SQL}` for that.",
    "thinking": f"<think>First SELECT 1, then ```sql\nSELECT 2\n``` hm.</think>\n{SQL}",
    "thinking without its beginning": f"So SELECT 1?\n</think>\n\n```sql\n{SQL}\n```",
    "drafts first": f"Try\n```sql\nSELECT name FROM singer\n```\nNo, count:\n```sql\n{SQL}\n```\nDone.",
    "another language beside": f"```sql\n{SQL}\n```\n```python\nprint('SELECT 1')\n```\n```\n| count |\n```",
    "comment first": f"-- counts the singers\n{SQL};",
    "block comment first": f"```sql\n/* the singers */\n{SQL}\n```",
    "chat marker": f"{SQL}<|im_end|>\n<|im_start|>user",
    "end of sequence": f"{SQL};</s>",
    "tags": f"<answer>{SQL}</answer>",
    "sqlcoder tags": f" {SQL};[/SQL]",
    "sqlcoder opened tag": f"[SQL] {SQL}",
    "json": '{"sql": "' + SQL + '", "confidence": 0.9}',
    "json in a block": '```json\n{"query": "' + SQL + ';"}\n```',
    "Chinese prose": f"根据您的问题，可以使用以下SQL查询：\n\n{SQL};\n\n该查询返回法国歌手的数量。",
    "Chinese prose on one line": f"答案是：{SQL}",
    "Chinese prose behind": f"{SQL}\n该查询返回法国歌手的数量。",
    "Chinese label": f"SQL语句：{SQL}；".rstrip("；"),
    "quoted line": f"> {SQL}",
    "prose that begins like SQL": f"{SQL};\n\nWith this query you get one row.",
    "prose that begins like a command": f"{SQL}; Use it wisely; show it to others.",
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_the_sql_is_found(text):
    assert reduce_answer(text) == SQL


@pytest.mark.parametrize(
    "sql",
    [
        "select name\nfrom singer\n\nwhere age > 3\norder by 1",
        "WITH a AS (SELECT 1 AS x)\nSELECT * FROM a",
        "WITH RECURSIVE a(x) AS (SELECT 1) SELECT x FROM a",
        "(SELECT 1) UNION (SELECT 2)",
        "FROM singer SELECT name",
        "SELECT ';', \"a;b\", '### Input' FROM t",
        "SELECT a -- first; best\nFROM t",
        "SELECT '```' FROM t",
        "SELECT 书名 FROM 图书",
        "SELECT this.a FROM t AS this",
    ],
)
def test_sql_of_any_shape_stays_whole(sql):
    assert reduce_answer(sql) == sql
    assert reduce_answer(f"```sql\n{sql};\n```") == sql or "```" in sql
    assert reduce_answer(f"Here is the query:\n{sql};\n\nHope that helps.") == sql


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "I cannot do that.",
        "Select the best option from the list.",
        "With this, from your data, we see nothing.",
        "```\n```",
    ],
)
def test_no_sql(text):
    assert reduce_answer(text) is None


@pytest.mark.parametrize(
    "text", ["DROP TABLE singer", "```sql\nDROP TABLE singer;\n```", "```sql\n-- clean up\nDROP TABLE singer\n```"]
)
def test_what_is_no_select_is_left_to_the_guard(text):
    assert reduce_answer(text) == "DROP TABLE singer"


@pytest.mark.parametrize(
    "text",
    ["```sql\nSELECT 1;\nDROP TABLE t;\n```", "SELECT 1;\nDROP TABLE t;", "SELECT 1;\nDROP TABLE t;\nThat is all."],
)
def test_a_second_statement_is_not_hidden_from_the_guard(text):
    assert reduce_answer(text) == "SELECT 1;\nDROP TABLE t"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CANNOT ANSWER: there is no price", "there is no price"),
        ("I do not know", "I do not know"),
        ("无法根据给定的schema回答", "无法根据给定的schema回答"),
        ("<think>I do not know</think> SELECT 1", None),
        (SQL, None),
    ],
)
def test_declined(text, reason):
    assert declined(text) == reason


@given(st.text(max_size=120), st.text(max_size=120))
def test_a_marked_block_is_found_in_any_prose(before, after):
    text = f"{before.replace('`', '').replace('<', '').replace('~', '').replace('[', '')}\n```sql\n{SQL};\n```\n"
    tail = after.replace("`", "").replace("<", "").replace("~", "").replace("[", "")
    assert reduce_answer("Well. " + text + tail) == SQL


@given(st.text(max_size=200))
def test_any_answer_is_fine(text):
    assert reduce_answer(text) is None or reduce_answer(text).strip()
