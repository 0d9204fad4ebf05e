import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.udf.text2sql.checks.extract_sql import decline_reason, extract_sql

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

LINES = "SELECT count(*)\nFROM singer\nWHERE country = 'France'"
INDEX = "CREATE INDEX i ON singer (country);"
JSON_SHAPES = {
    "raw line breaks": '{"thoughts": "x", "sql": "' + LINES + '"}',
    "escaped line breaks": '{"sql": "' + LINES.replace("\n", "\\n") + '"}',
    "raw tabs and a line end of Windows": '{"sql": "' + LINES.replace("\n", "\r\n\t") + '"}',
    "comments": '{\n  // the query\n  "sql": "' + LINES + '", /* done */\n  "chart": "bar" # why not\n}',
    "trailing comma": '{"sql": "' + LINES + '",}',
    "single quotes": "{'reason': 'it''s so', 'sql': '" + LINES.replace("'", "\\'") + "'}",
    "single quotes that are not escaped": "{'sql': '" + LINES + "'}",
    "Python's quotes": "{'sql': \"" + LINES + '"}',
    "three quotes": '{"sql": """' + LINES + '"""}',
    "back-ticks": '{"sql": `' + LINES + "`}",
    "keys without quotes": '{sql: "' + LINES + '", confidence: 0.9}',
    "curly quotes": "{“sql”: “" + LINES + "”}",
    "double quotes that are not escaped": '{"sql": "' + LINES.replace("singer", '"singer"') + '"}',
    "cut short": '{"reason": "x", "sql": "' + LINES,
    "prose before and behind": 'Here it is:\n{"sql": "' + LINES + '"}\nIt counts the singers FROM France; {"ok": 1}.',
    "prose on the line before": '结果如下：{"sql": "' + LINES + '"}',
    "in a block with prose": 'Sure.\n```json\n{"sql": "' + LINES + '"}\n```\nHope that helps: SELECT nothing FROM it.',
    "in a block that never closes": '```json\n{"sql": "' + LINES + '"',
    "nested": '{"result": {"queries": [{"sql": "' + LINES + '", "why": "Select the singers"}]}}',
    "a list of objects": '[{"sql": "' + LINES + '"}]',
    "lines as a list": '{"sql": ["SELECT count(*)", "FROM singer", "WHERE country = \'France\'"]}',
    "a call of a tool": '{"name": "run", "arguments": "{\\"query\\": \\"' + LINES.replace("\n", " ") + '\\"}"}',
    "another key": '{"explanation": "Select the singers", "sql_query": "' + LINES + '"}',
    "a block in the value": '{"answer": "```sql\\n' + LINES.replace("\n", "\\n") + ';\\n```"}',
    "a semicolon": '{"sql": "' + LINES + ';\\n"}',
    "thinking before": '<think>{"sql": "SELECT 1"} perhaps</think>\n{"sql": "' + LINES + '"}',
    "a Chinese key": '{"思考": "按国家", "SQL查询": "' + LINES + '"}',
}
BLOCK_SHAPES = {
    "an index behind": f"```sql\n{SQL}\n```\nFor speed:\n```sql\n{INDEX}\n```",
    "EXPLAIN behind": f"```sql\n{SQL};\n```\nSee its plan:\n```sql\nEXPLAIN {SQL};\n```",
    "an INSERT behind": f"```sql\n{SQL}\n```\nTest rows:\n```sql\nINSERT INTO singer VALUES (1);\n```",
    "INSERT WITH behind": f"```sql\n{SQL}\n```\n```sql\nWITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a\n```",
    "a table before": f"```sql\nCREATE TABLE singer (country VARCHAR);\n```\nThen:\n```sql\n{SQL}\n```",
    "a query in a plain block, an index in a marked one": f"```\n{SQL}\n```\n```sql\n{INDEX}\n```",
    "a query in prose, an index in a block": f"The query is:\n{SQL};\n\nFor speed:\n```sql\n{INDEX}\n```",
    "JSON and an index": '```json\n{"sql": "' + SQL + '"}\n```\n```sql\n' + INDEX + "\n```",
    "tilde": f"~~~sql\n{SQL}\n~~~",
    "four back-ticks": f"````sql\n{SQL}\n````",
    "a mark of another database": f"```tsql\n{SQL}\n```",
    "a shell before": f"```bash\npip install duckdb\n```\n```sql\n{SQL}\n```",
    "the rows behind": f"```sql\n{SQL}\n```\nOutput:\n```\n| count |\n|-------|\n| 4     |\n```",
    "CDATA": f"<sql><![CDATA[{SQL}]]></sql>",
    "tags of another name": f"<reasoning>SELECT 1</reasoning><final_sql>{SQL}</final_sql>",
    "thinking in another spelling": f"◁think▷SELECT 1◁/think▷{SQL}",
    "channels": f"<|channel|>analysis<|message|>SELECT 1<|end|><|channel|>final<|message|>{SQL}",
    "a draft in prose": f"Let me think: SELECT 1 FROM a would be wrong.\nFinal answer: {SQL}",
    "a Chinese draft": f"先试：\nSELECT name FROM singer\n这不对。\n最终SQL：{SQL}；",
    "quotes around": f'"{SQL}"',
    "a full-width semicolon": f"{SQL}；",
    "an index in prose": f"{SQL};\n\nAn index makes it fast:\n{INDEX}",
}


@pytest.mark.parametrize("text", JSON_SHAPES.values(), ids=JSON_SHAPES)
def test_the_sql_is_found_in_what_models_write_for_json(text):
    assert " ".join((extract_sql(text) or "").replace('"singer"', "singer").split()) == SQL


@pytest.mark.parametrize("text", BLOCK_SHAPES.values(), ids=BLOCK_SHAPES)
def test_the_query_is_taken_before_what_is_none(text):
    assert extract_sql(text) == SQL


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_the_sql_is_found(text):
    assert extract_sql(text) == SQL


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
    assert extract_sql(sql) == sql
    assert extract_sql(f"```sql\n{sql};\n```") == sql or "```" in sql
    assert extract_sql(f"Here is the query:\n{sql};\n\nHope that helps.") == sql


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
    assert extract_sql(text) is None


@pytest.mark.parametrize(
    "text", ["DROP TABLE singer", "```sql\nDROP TABLE singer;\n```", "```sql\n-- clean up\nDROP TABLE singer\n```"]
)
def test_what_is_no_select_is_left_to_the_guard(text):
    assert extract_sql(text) == "DROP TABLE singer"


@pytest.mark.parametrize(
    "text",
    ["```sql\nSELECT 1;\nDROP TABLE t;\n```", "SELECT 1;\nDROP TABLE t;", "SELECT 1;\nDROP TABLE t;\nThat is all."],
)
def test_a_second_statement_is_not_hidden_from_the_guard(text):
    assert extract_sql(text) == "SELECT 1;\nDROP TABLE t"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CANNOT ANSWER: there is no price", "there is no price"),
        ("I do not know", "I do not know"),
        ("无法根据给定的schema回答", "无法根据给定的schema回答"),
        ("抱歉。\n数据库中没有员工信息，因此无法回答该问题。", "数据库中没有员工信息，因此无法回答该问题。"),
        ("There is no table of staff, so I don't know.", "There is no table of staff, so I don't know."),
        ("<think>I do not know</think> SELECT 1", None),
        (SQL, None),
    ],
)
def test_declined(text, reason):
    assert decline_reason(text) == reason


@given(st.text(max_size=120), st.text(max_size=120))
def test_a_marked_block_is_found_in_any_prose(before, after):
    text = f"{before.replace('`', '').replace('<', '').replace('~', '').replace('[', '')}\n```sql\n{SQL};\n```\n"
    tail = after.replace("`", "").replace("<", "").replace("~", "").replace("[", "")
    assert extract_sql("Well. " + text + tail) == SQL


QUERIES = st.sampled_from(
    [
        SQL,
        LINES,
        'SELECT a -- first, "x"\nFROM t',
        "SELECT name, {'sql': 'x'} AS s FROM singer WHERE name LIKE '%{%'",
        "SELECT \"first name\" FROM \"my table\" WHERE x <> 'it''s; so'",
        "WITH a AS (SELECT 1 AS x)\nSELECT * FROM a ORDER BY x DESC LIMIT 3",
        "SELECT 书名 FROM 图书 WHERE 作者 = '鲁迅：\"呐喊\"'",
        "SELECT x ->> '$.sql', [1, 2][1], {'a': [1]} FROM t",
        "FROM singer SELECT name",
    ]
)
BEFORE = """
Sure!
Here is the query you asked for:
根据您的问题，可以这样查询：
Let me think. The table has 3 columns.
It's simple.
"""
BEHIND = """
This returns one row.
说明：按国家过滤。
Note: with an index it is faster; use it wisely.
Hope that helps!
"""
WRAPPINGS = {
    "block": lambda sql: f"```sql\n{sql};\n```",
    "plain block": lambda sql: f"```\n{sql}\n```",
    "block, then an index": lambda sql: f"```sql\n{sql}\n```\nAnd:\n```sql\n{INDEX}\n```",
    "draft before": lambda sql: f"```sql\nSELECT 1\n```\nNo, rather:\n```sql\n{sql}\n```",
    "json": lambda sql: json.dumps({"reason": "Select it", "sql": sql}),
    "json of two lines": lambda sql: json.dumps({"sql": sql, "ok": True}, indent=2, ensure_ascii=False),
    "json with raw line breaks": lambda sql: json.dumps({"sql": sql}).replace("\\n", "\n"),
    "json in a block": lambda sql: f"```json\n{json.dumps({'query': sql})}\n```",
    "Python's dict": lambda sql: repr({"sql": sql}),
    "tags": lambda sql: f"<sql>{sql}</sql>",
    "thinking": lambda sql: f"<think>SELECT 1? {{'sql': 'SELECT 2'}}</think>\n```sql\n{sql}\n```",
    "prose": lambda sql: f"{sql};\n",
}


@settings(max_examples=400)
@given(QUERIES, st.sampled_from(list(WRAPPINGS)), *(st.sampled_from(p.split("\n")) for p in (BEFORE, BEHIND)))
def test_a_query_is_found_whatever_stands_around_it(sql: str, wrapping: str, before: str, behind: str) -> None:
    text = f"{before}\n{WRAPPINGS[wrapping](sql)}\n{behind}"
    assert extract_sql(text) == sql, text


@given(st.text(max_size=200))
def test_any_answer_is_fine(text):
    assert extract_sql(text) is None or extract_sql(text).strip()


def test_a_json_string_and_operators_of_a_page_are_read() -> None:
    assert extract_sql(r'"SELECT name\nFROM singer"') == "SELECT name\nFROM singer"
    assert extract_sql("SELECT name FROM singer WHERE age &gt; 3 AND age &lt;= 9") == (
        "SELECT name FROM singer WHERE age > 3 AND age <= 9"
    )
    assert (
        extract_sql("SELECT name FROM singer WHERE name = 'a&lt;b'") == "SELECT name FROM singer WHERE name = 'a&lt;b'"
    )
