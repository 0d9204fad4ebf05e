"""DDL as tokens: no letter is lost, quotes and comments of any database, brackets as groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.udf.text2sql.schema.ddl_tokens import Group, nest, read_tokens, split, unquoted_path, without_comments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 'it''s' b", ["a", "it's", "b"]),
        (r"'it\'s, (x)', b", ["it's, (x)", ",", "b"]),
        (r"'C:\', b", ["C:\\", ",", "b"]),
        ('`a``b` [c d] "e""f" “g” ‘h’', ["a`b", "c d", 'e"f', "g", "h"]),
        (
            "x # hash\ny -- dash\n// slash\n/* block\n */ z",
            ["x", "# hash", "y", "-- dash", "// slash", "/* block\n */", "z"],
        ),
        ("TABLE #tmp (a#b INT)", ["TABLE", "#tmp", "(", "a#b", "INT", ")"]),
        ("a /*!50100 PARTITION */ b", ["a", "PARTITION", "b"]),
        ("（a，b）；", ["(", "a", ",", "b", ")", ";"]),
        ("the shop's users' TABLE", ["the", "shop", "s", "users", "TABLE"]),
        ('"""a "doc" here"""', ['a "doc" here']),
        ("a $tag$ , b $$ $tag$ c $$x$$ $_$y$_$ d$e$f", ["a", " , b $$ ", "c", "x", "y", "d$e$f"]),
        (r'''U&"d\0061t\+000061" u&"e""f" U&"\d800"''', ["data", 'e"f', "\ufffd"]),
        ("{{ ref }}.t ${db}.u", ["{{ ref }}", ".", "t", "${db}", ".", "u"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert [token.text for token in read_tokens(text)] == expected


@given(st.text(st.sampled_from("ab'\"`[](){}<>#-/*\\\n ,;$“”‘’（），"), max_size=60))
def test_every_letter_belongs_to_one_token(text: str) -> None:
    starts = [token.start for token in read_tokens(text)]
    assert starts == sorted(set(starts))
    assert all(token.line == text.count("\n", 0, token.start) + 1 for token in read_tokens(text))


def test_a_quote_that_does_not_close_is_known() -> None:
    assert [token.closed for token in read_tokens("a 'b")] == [True, False]


def test_brackets_are_groups_and_commas_in_them_do_not_split() -> None:
    nodes = nest(read_tokens("a map<string, array<int>>, b decimal(10, 2) check (a < 5), c"))
    assert [len(part) for part in split(nodes)] == [3, 5, 1]
    assert isinstance(nodes[2], Group)
    assert nodes[2].end is not None


def test_a_bracket_that_is_not_closed_ends_with_the_text() -> None:
    (group,) = nest(read_tokens("(a, (b"))
    assert isinstance(group, Group)
    assert group.end is None


def test_paths_and_comments() -> None:
    assert unquoted_path('`my db`."a.b".[c]') == ("my db", "a.b", "c")
    assert without_comments("a -- x\n'--' /* y */ b").split() == ["a", "'--'", "b"]


def test_a_name_in_brackets_may_hold_commas_and_brackets() -> None:
    names = [
        token.text for token in read_tokens("([a]]b] int, [Total, net] int DEFAULT [1, 2])") if token.kind == "name"
    ]
    assert names == ["a]b", "Total, net"]
