"""The built-in model's training examples: questions linked to their schemas, with the symbols of their queries."""

from __future__ import annotations

import logging
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import sqlglot
from sqlglot import expressions as exp

from ....workers.builtin.network.schema_linking import PreviousTurn, SchemaLinks, link
from ....workers.builtin.network.training_batches import ParserExample
from ....workers.builtin.query.from_sql import UnsupportedSqlError, parse_sql
from ....workers.builtin.query.grammar import is_valid, keyword
from ....workers.builtin.query.implied_tables import drop_implied_tables
from ....workers.builtin.query.linearize import Linearizer, NotExpressibleError
from ....workers.builtin.query.query_tree import LiteralValue, Query
from ....workers.builtin.query.to_sql import NotWritableError, format_sql
from ....workers.builtin.schema.schema_index import SchemaIndex
from ....workers.database_schema import Column, Schema, Table
from ..evaluation.datasets import Question, load_schema
from ..schema.resolve import resolve_schema
from .query_trees import QuestionTree, read_questions
from .renamed_schemas import abbreviated, in_english

log = logging.getLogger(__name__)
MAX_SYMBOLS = 90
# Training databases for validation; none of their questions is trained on.
HELD_OUT = ("apartment_rentals", "film_rank", "machine_repair", "product_catalog", "ship_1")


UNANSWERABLE = """\
What is the weather today?|Tell me a joke.|Who are you?|Write a poem about the sea.|What time is it?|Hello|thanks
Translate this sentence into French.|What is the meaning of life?|How do I cook rice?|Who won the last world cup?
What is 2 plus 2?|Summarize the news of this week.|Can you help me with my homework?|What is the capital of France?
Will it rain tomorrow?|Recommend a good film.|How do I install Python?|Drop all the tables.|What is your name?
Delete everything.|Which stock should I buy?|How far away is the moon?|Sing a song.|What did you eat yesterday?"""
# Questions that no database can answer.
CHINESE_UNANSWERABLE = """\
今天天气怎么样？|给我讲个笑话。|你是谁？|你好|谢谢|写一首关于大海的诗。|现在几点了？|把这句话翻译成英文。|人生的意义是什么？
米饭怎么做？|二加二等于几？|帮我写作业。|中国的首都是哪里？|明天会下雨吗？|推荐一部好电影。|把所有的表都删掉。|我该买哪只股票？
月亮离我们有多远？|唱首歌吧。|你昨天吃了什么？|怎么安装Python？|总结一下本周新闻。"""
# How often a question is repeated after another turn or in lower case; how often a decline has a turn before it.
UNRELATED, LOWER_CASE, WITH_TURN = 0.2, 0.15, 0.4
RENAMED = 0.3  # How often a question is repeated over cryptic names.
# How often an example has the cells of its WikiSQL table; otherwise its constants must come from the question.
CELLS_VISIBLE = 0.3


@dataclass
class ExamplePool:
    """The questions of one language, from which examples to decline are made.

    Args:
        questions: (database, question); strangers: questions about none of our databases.
        links, turns: for each training database.
    """

    questions: list[tuple[str, str]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    links: dict[str, SchemaLinks] = field(default_factory=dict)
    turns: dict[str, list[PreviousTurn]] = field(default_factory=lambda: defaultdict(list))

    def declined(self, count: int, chance: random.Random) -> list[ParserExample]:
        """Return examples of questions with a wrong database, which the model must decline."""
        made = []
        for _ in range(count):
            database, question = chance.choice(self.questions)
            if self.strangers and chance.random() < 0.5:
                database, question = "", chance.choice(self.strangers)
            wrong = chance.choice(sorted(self.links))
            before = chance.choice(self.turns[wrong]) if self.turns[wrong] and chance.random() < WITH_TURN else None
            if wrong != database:
                made.append(ParserExample(link(question, self.links[wrong], before), (keyword("DECLINE"),)))
        return made


@dataclass
class ExampleSets:
    """Training and validation examples, and the pools for examples to decline.

    Args:
        train, tables, wide: of English databases, of one table each (WikiSQL), and of Chinese databases.
        crossed: the Chinese questions over the same databases with English names.
        renamed: the English questions over the same databases with cryptic names, whose comments tell what they mean.
        generated, chinese_augmented: the same questions' templates, filled with other tables.
        business: business questions from templates of our own.
        unanswerable: questions that name a column which their schema has no longer.
        held_out, chinese_held_out, crossed_held_out: examples of the databases for validation.
        english, chinese: questions for the examples to decline.
        dropped: the number of questions whose values do not appear in the question.
    """

    train: list[ParserExample] = field(default_factory=list)
    tables: list[ParserExample] = field(default_factory=list)
    wide: list[ParserExample] = field(default_factory=list)
    crossed: list[ParserExample] = field(default_factory=list)
    crossed_held_out: list[ParserExample] = field(default_factory=list)
    renamed: list[ParserExample] = field(default_factory=list)
    generated: list[ParserExample] = field(default_factory=list)
    business: list[ParserExample] = field(default_factory=list)
    unanswerable: list[ParserExample] = field(default_factory=list)
    chinese_augmented: list[ParserExample] = field(default_factory=list)
    held_out: list[ParserExample] = field(default_factory=list)
    chinese_held_out: list[ParserExample] = field(default_factory=list)
    english: ExamplePool = field(default_factory=ExamplePool)
    chinese: ExamplePool = field(default_factory=ExamplePool)
    dropped: int = 0


def spider_examples(suites: Mapping[str, Sequence[Question]]) -> ExampleSets:
    """Return the examples of suites with databases; in dialogues, with the previous turn."""
    found = ExampleSets()
    for suite, questions in suites.items():
        readings, reasons = read_questions(questions)
        count = sum(one.tree is not None for one in readings)
        log.info("%s: %d of %d have trees; %s", suite, count, len(readings), reasons.most_common(3))
        for database, group in groupby(readings, key=lambda one: one.question.db):
            links = SchemaLinks(SchemaIndex(load_schema(database)))
            if database not in HELD_OUT:
                found.english.links[database] = links
            _add_database(found, links, list(group))
    return found


def _add_database(found: ExampleSets, links: SchemaLinks, readings: list[QuestionTree]) -> None:
    earlier: dict[int | None, PreviousTurn] = {}
    chance = random.Random(readings[0].question.db)
    cryptic = SchemaLinks(SchemaIndex(abbreviated(links.names, chance)))
    turns = [PreviousTurn(one.question.question, one.tree) for one in readings if one.tree is not None]
    for reading in sorted(readings, key=lambda one: (one.question.dialogue or 0, one.question.turn)):
        question, tree = reading.question, reading.tree
        before = earlier.get(question.dialogue) if question.dialogue is not None else None
        earlier[question.dialogue] = PreviousTurn(question.question, tree)
        if tree is None:
            continue
        _add(found, question, make_example(question.question, links, tree, before))
        if question.dialogue is None and question.db not in HELD_OUT:
            found.english.questions.append((question.db, question.question))
            _add_variants(found, question, links, tree, turns, chance)
            if chance.random() < RENAMED and (example := make_example(question.question, cryptic, tree)):
                found.renamed.append(example)
    if readings[0].question.db not in HELD_OUT:
        found.english.turns[readings[0].question.db] += turns


def _add(found: ExampleSets, question: Question, example: ParserExample | None) -> None:
    if example is None:
        found.dropped += 1
    else:
        (found.held_out if question.db in HELD_OUT else found.train).append(example)


def _add_variants(
    found: ExampleSets,
    question: Question,
    links: SchemaLinks,
    tree: Query,
    turns: list[PreviousTurn],
    chance: random.Random,
) -> None:
    """Add the question after an unrelated turn, and as people type it: in lower case, without a question mark."""
    other = chance.choice(turns)
    variants = []
    if chance.random() < UNRELATED and other.tree != tree:
        variants.append(make_example(question.question, links, tree, other))
    if chance.random() < LOWER_CASE:
        variants.append(make_example(question.question.lower().rstrip("?. "), links, tree))
    found.train += [example for example in variants if example is not None]


def make_example(
    question: str, links: SchemaLinks, tree: Query, before: PreviousTurn | None = None
) -> ParserExample | None:
    """Return the example; None if the tree has a value that is not among the candidates, or is very long."""
    linked = link(question, links, before)
    try:
        symbols = Linearizer([one.spellings for one in linked.candidates], linked.words).query(tree)
    except NotExpressibleError:
        return None
    return ParserExample(linked, tuple(symbols)) if len(symbols) <= MAX_SYMBOLS and is_valid(symbols) else None


def chinese_examples(found: ExampleSets, questions: Sequence[Question]) -> None:
    """Add the examples of Chinese questions, whose databases are only DDL; every tenth database is held out."""
    texts = {one.db: one.schema for one in questions}
    names = {database: SchemaIndex(resolve_schema(text, Schema()).schema) for database, text in texts.items()}
    held_out = set(sorted(names)[::10])
    counts = Counter[str]()
    for database, group in groupby(sorted(questions, key=lambda one: one.db), key=lambda one: one.db):
        links, into = SchemaLinks(names[database]), found.chinese_held_out if database in held_out else found.wide
        english = SchemaLinks(SchemaIndex(in_english(names[database], random.Random(database))))
        crossed = found.crossed_held_out if database in held_out else found.crossed
        before: PreviousTurn | None = None
        for one in sorted(group, key=lambda one: (one.dialogue or 0, one.turn)):
            before = before if one.turn else None
            tree = matching_join_tree(one.sql, names[database])
            example = make_example(one.question, links, tree, before) if tree else None
            over_english = make_example(one.question, english, tree, before) if tree else None
            crossed += [over_english] if over_english else []
            before = PreviousTurn(one.question, tree)
            counts["no tree" if tree is None else "value not named" if example is None else "taken"] += 1
            into += [example] if example else []
            if tree and database not in held_out:
                found.chinese.turns[database].append(before)
                found.chinese.questions += [(database, one.question)] if not one.turn else []
        if database not in held_out:
            found.chinese.links[database] = links
    log.info("Chinese: %s", dict(counts))


def matching_join_tree(sql: str, names: SchemaIndex) -> Query | None:
    """Return the tree of SQL that cannot be run, if the tree's SQL joins along the same columns."""
    try:
        tree = drop_implied_tables(parse_sql(sql, names), names)
        return tree if _joins(format_sql(tree, names), names) == _joins(sql, names) else None
    except (UnsupportedSqlError, NotWritableError, KeyError):
        return None


def _joins(sql: str, names: SchemaIndex) -> Counter[frozenset[int | None]]:
    tree = sqlglot.parse_one(sql, read="duckdb")
    called = {table.alias_or_name: table.name for table in tree.find_all(exp.Table)}
    pairs = [one for join in tree.find_all(exp.Join) for one in join.find_all(exp.EQ)]
    ends = [[names.find_column(called.get(c.table, ""), c.name) for c in pair.find_all(exp.Column)] for pair in pairs]
    return Counter(frozenset(end) for end in ends)


def table_examples(drawn: Sequence[Question], chance: random.Random) -> list[ParserExample]:
    """Return the examples of questions with their own table `t`; its only cells are the values that they mention."""
    made: list[ParserExample | None] = []
    for columns, questions in _by_table(drawn).items():
        plain = SchemaIndex(_one_table(columns, {}))
        trees = [(question, _tree(question.sql, plain)) for question in questions]
        cells = _cells(tree for _, tree in trees) if chance.random() < CELLS_VISIBLE else {}
        links = SchemaLinks(SchemaIndex(_one_table(columns, cells)))
        made += [make_example(question.question, links, tree) for question, tree in trees if tree is not None]
    return [example for example in made if example is not None]


def table_links(drawn: Sequence[Question], count: int) -> list[SchemaLinks]:
    """Return the tables of the first questions with their own table, with the cells that these mention."""
    links = []
    for columns, questions in list(_by_table(drawn).items())[:count]:
        plain = SchemaIndex(_one_table(columns, {}))
        cells = _cells(_tree(question.sql, plain) for question in questions)
        links.append(SchemaLinks(SchemaIndex(_one_table(columns, cells))))
    return links


def _by_table(drawn: Sequence[Question]) -> dict[tuple[tuple[str, str], ...], list[Question]]:
    found: dict[tuple[tuple[str, str], ...], list[Question]] = defaultdict(list)
    for question in drawn:
        found[question.columns].append(question)
    return found


def _one_table(columns: Iterable[tuple[str, str]], cells: dict[int, tuple[str, ...]]) -> Schema:
    made = tuple(
        Column(name, type_name, values=cells.get(number, ())) for number, (name, type_name) in enumerate(columns)
    )
    return Schema("t", (Table("t", made),))


def _tree(sql: str, names: SchemaIndex) -> Query | None:
    try:
        tree = parse_sql(sql, names)
    except UnsupportedSqlError:
        return None
    return Query(tree.items, where=tree.where)


def _cells(trees: Iterable[Query | None]) -> dict[int, tuple[str, ...]]:
    cells: dict[int, dict[str, None]] = defaultdict(dict)
    for tree in trees:
        for predicate in tree.where if tree else ():
            for operand in predicate.operands:
                if isinstance(operand, LiteralValue) and predicate.term.column is not None:
                    cells[predicate.term.column][operand.text] = None
    return {column: tuple(texts) for column, texts in cells.items()}
