from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from quackllm.workers.builtin.network.decoding_mask import DecodingMask
from quackllm.workers.builtin.network.schema_linking import (
    COLUMNS,
    QUESTION,
    RELATION_NUMBERS,
    TABLES,
    SchemaLinks,
    link,
)
from quackllm.workers.builtin.network.value_candidates import CellIndex, find_candidates
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.grammar import COLUMN, WORD, keyword
from quackllm.workers.builtin.query.linearize import Linearizer, parse_symbols
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.schema.chinese_keys import inferred_references
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.builtin.text.tokens import (
    BUCKETS,
    SPELLING_BUCKETS,
    is_cjk,
    name_words,
    question_features,
    read_words,
    split_identifier,
    text_features,
)
from quackllm.workers.database_schema import Column, Schema, Table

BOOKS = SchemaIndex(
    Schema(
        "购书平台",
        (
            Table("图书", (Column("图书id", "VARCHAR"), Column("书名", "VARCHAR"), Column("是否畅销", "VARCHAR"))),
            Table("平台", (Column("平台id", "VARCHAR"), Column("平台名", "VARCHAR"), Column("性别", "VARCHAR"))),
            Table("电子书", (Column("所属图书id", "VARCHAR"), Column("售价", "DOUBLE"), Column("平台", "VARCHAR"))),
        ),
    )
)


def relation(question: str, word: str, column: str) -> str:
    linked = link(question, SchemaLinks(BOOKS))
    place = next(number for number, one in enumerate(linked.words) if one.text == word)
    number = next(number for number, one in enumerate(BOOKS.columns) if one.name == column)
    found = linked.relations[linked.start(QUESTION) + place, linked.start(COLUMNS) + number]
    return next((name for name, known in RELATION_NUMBERS.items() if known == found), "none")


def test_chinese_characters_are_words_beside_english_ones() -> None:
    assert [word.text for word in read_words("有iPhone12吗？")] == ["有", "iPhone", "12", "吗", "？"]
    assert name_words("书名id") == ("书", "名", "id")
    assert split_identifier(read_words("北京 Bank of  China")) == "北京 Bank of China"


@given(st.text(alphabet="图书名售价abc12 ，", max_size=20))
def test_features_are_rows_and_those_of_chinese_have_rows_of_their_own(text: str) -> None:
    words = read_words(text)
    for word, rows in zip(words, question_features(words), strict=True):
        assert rows
        assert all(
            SPELLING_BUCKETS <= row < BUCKETS if is_cjk(word.text) else 0 <= row < SPELLING_BUCKETS for row in rows[:1]
        )
    assert all(0 <= row < BUCKETS for row in text_features(tuple(word.text for word in words)))


def test_chinese_words_are_tied_to_names_by_common_characters() -> None:
    assert relation("图书的书名是什么", "名", "书名") == "word fully column"
    assert relation("哪个书价最高", "价", "售价") == "word like column"
    assert relation("图书的编号", "书", "所属图书id") == "word partly column"
    assert relation("今天好", "今", "书名") == "none"


def test_tables_are_found_by_their_names() -> None:
    linked = link("有多少图书", SchemaLinks(BOOKS))
    assert linked.relations[3, linked.start(TABLES)] == RELATION_NUMBERS["word fully table"]


def test_chinese_numbers_dates_and_whether() -> None:
    found = {one.value.text: one.kind for one in find_candidates("2007年11月5日以来前三的《活着》", CellIndex(BOOKS))}
    assert found["2007-11-05"] == "date"
    assert found["3"] == "number"
    assert found["活着"] == "quoted"
    assert found["是"] == found["否"] == "implied"


def test_keys_are_told_by_names() -> None:
    tables = [
        ("歌手", ["歌手id", "姓名"]),
        ("城市", ["id", "名称"]),
        ("获奖名单", ["年份", "获奖歌手id", "所在城市id"]),
        ("演出", ["城市"]),
    ]
    found = inferred_references(tables)
    assert ((2, 1), (0, 0)) in found
    assert ((2, 2), (1, 0)) in found
    assert ((3, 0), (1, 0)) in found
    assert not any(table == other for (table, _), (other, _) in found)


def test_a_run_of_words_is_a_constant_where_no_cell_is_known() -> None:
    question = "售价低于30的《活着》在当当网有吗"
    linked = link(question, SchemaLinks(BOOKS))
    sql = "SELECT 书名 FROM 图书 WHERE 书名 = '当当网'"
    speller = Linearizer([one.spellings for one in linked.candidates], linked.words)
    symbols = speller.query(parse_sql(sql, BOOKS))
    query = parse_symbols(symbols, [one.value for one in linked.candidates], linked.words)
    assert format_sql(query, BOOKS).replace('"', "") == sql


def test_a_run_of_words_ends_before_a_chinese_mark() -> None:
    linked = link("我想找书，当当网有吗", SchemaLinks(BOOKS))
    legal = DecodingMask(BOOKS, linked)
    symbols = [(COLUMN, 1), keyword("="), (WORD, 2)]
    mask = legal.mask(("AFTER_WHERE", "LAST_WORD"), symbols)
    assert [linked.words[word].text for word in range(len(linked.words)) if mask[legal.position((WORD, word))]] == [
        "找",
        "书",
    ]
