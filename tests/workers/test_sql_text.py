"""What SQL text holds reads back as what was written, whatever it is."""

from __future__ import annotations

import duckdb
from hypothesis import given
from hypothesis import strategies as st
from quackllm.workers.sql_text import quote_identifier, quote_literal

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(TEXTS, TEXTS)
def test_names_and_texts_read_back(name: str, text: str) -> None:
    found = duckdb.sql(f"SELECT {quote_literal(text)} AS {quote_identifier(name)}")
    assert (found.columns, found.fetchall()) == ([name], [(text,)])
