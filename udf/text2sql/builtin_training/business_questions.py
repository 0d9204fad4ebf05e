"""Business questions about many schemas: the phrases of `business_forms` with the queries that they mean."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from ....workers.builtin.network.batching import Example
from ....workers.builtin.network.schema_linking import SchemaLinks
from ....workers.builtin.query.tree import LiteralValue, Operand, Order, Predicate, Query, Term
from ....workers.builtin.schema.schema_index import SchemaIndex, column_kind
from ....workers.builtin.text.tokens import is_cjk
from ....workers.builtin.text.word_meanings import word_meanings
from .business_forms import AGGREGATE_WORDS, FORMS
from .examples import make_example
from .renamed_schemas import abbreviated, in_english

DISPLAY = ("name", "title", "description", "名", "标题")  # Parts of names of columns that name a row.
PRICES = ("price", "fee", "cost", "rate", "amount", "价", "费", "金额")
QUANTITIES = ("quantity", "qty", "count", "number", "units", "数量", "件数")
SYNONYM = 0.15  # How often a word of a name is replaced by one of nearly the same meaning.
NEAREST = (0.72, 0.97)  # The cosines between which another word is a synonym.
COMMON = 9000  # Only frequent words are synonyms.
TRIES = 5


class UnfitError(ValueError):
    """The schema has no columns for this form."""


@dataclass
class Spoken:
    """A schema with the words by which people name its tables and columns, and cells to ask about.

    Args:
        links: the schema.
        columns, tables: the words of each name.
        chinese: whether the questions are Chinese.
        cells: texts that may stand in a column without cells.
    """

    links: SchemaLinks
    columns: Sequence[tuple[str, ...]]
    tables: Sequence[tuple[str, ...]]
    chinese: bool
    cells: Sequence[str] = ()


@dataclass
class _Draw:
    """One question under way: a table, the columns drawn so far, and the words for its slots."""

    spoken: Spoken
    chance: random.Random
    table: int
    words: dict[str, str] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    new_cells: list[tuple[int, str]] = field(default_factory=list)

    def column(self, slot: str, kind: str, table: int | None = None) -> int:
        names = self.spoken.links.names
        own = names.columns_of[self.table if table is None else table]
        free = [one for one in own if one not in self.used and not _is_key(self.spoken, one)]
        fits = [one for one in free if kind in ("any", column_kind(names.columns[one]))]
        if not fits:
            raise UnfitError
        chosen = self.chance.choice(fits)
        self.say(slot, chosen)
        return chosen

    def say(self, slot: str, column: int) -> None:
        self.used.add(column)
        self.words[slot] = _phrase(self.spoken.columns[column], self.spoken.chinese, self.chance)

    def display(self, table: int | None = None) -> int:
        """Return the column that names the rows of a table."""
        names = self.spoken.links.names
        own = names.columns_of[self.table if table is None else table]
        texts = [one for one in own if column_kind(names.columns[one]) == "text" and not _is_key(self.spoken, one)]
        named = [one for one in texts if any(part in names.columns[one].name.lower() for part in DISPLAY)]
        if not texts:
            raise UnfitError
        chosen = (named or texts)[0]
        self.say("D", chosen)
        return chosen

    def parent(self) -> tuple[int, int, int]:
        """Return a table that this one refers to, the referring column and the key."""
        names = self.spoken.links.names
        edges = [edge for edge in names.edges if names.table_of[edge.column] == self.table]
        if not edges:
            raise UnfitError
        edge = self.chance.choice(edges)
        parent = names.table_of[edge.other]
        self.words |= {"P": self._table(parent), "Ps": self._table(parent, plural=True)}
        return parent, edge.column, edge.other

    def _table(self, table: int, plural: bool = False) -> str:
        text = _phrase(self.spoken.tables[table], self.spoken.chinese, self.chance)
        return _plural(text) if plural and not self.spoken.chinese else text

    def name_table(self) -> None:
        self.words |= {"T": self._table(self.table), "Ts": self._table(self.table, plural=True)}

    def cell(self, slot: str, column: int) -> LiteralValue:
        cells = [cell for cell in self.spoken.links.names.columns[column].values[:100] if _is_plain(cell)]
        if cells:
            text = self.chance.choice(cells)
        elif self.spoken.cells:
            text = self.chance.choice(self.spoken.cells)
            self.new_cells.append((column, text))
        else:
            raise UnfitError
        if text in (self.words.get(other) for other in "vwx"):
            raise UnfitError
        self.words[slot] = text
        return LiteralValue(text)

    def number(self, slot: str, choices: Sequence[int]) -> LiteralValue:
        text = str(self.chance.choice(choices))
        self.words[slot] = text
        return LiteralValue(text, number=True)

    def aggregate(self, *choices: str) -> str:
        name = self.chance.choice(choices or ("SUM", "SUM", "AVG", "MAX", "MIN"))
        self.words["agg"] = self.chance.choice(AGGREGATE_WORDS[name][self.spoken.chinese])
        return name


def _is_key(spoken: Spoken, column: int) -> bool:
    names = spoken.links.names
    name = names.columns[column].name.lower()
    joined = any(column in (edge.column, edge.other) for edge in names.edges)
    return names.columns[column].primary_key or joined or name.endswith(("id", "编号"))


def _is_plain(cell: str) -> bool:
    return 1 < len(cell) <= 30 and not set(cell) & set("\"'“”%\n,;?") and not cell.replace(".", "").isdigit()


def _phrase(words: Sequence[str], chinese: bool, chance: random.Random) -> str:
    if chinese:
        return "".join(words)
    return " ".join(_synonym(word, chance) if chance.random() < SYNONYM else word for word in words)


def _synonym(word: str, chance: random.Random) -> str:
    found = _synonyms(word)
    return chance.choice(found) if found else word


@lru_cache(maxsize=20_000)
def _synonyms(word: str) -> tuple[str, ...]:
    """Return frequent English words of nearly the same meaning, at most three."""
    meanings = word_meanings()
    row = meanings.rows.get(word, 0)
    if not row or is_cjk(word) or len(word) < 4:
        return ()
    cosines = meanings.table[1:COMMON] @ meanings.table[row]
    near = [int(number) + 1 for number in np.argsort(-cosines)[:8] if NEAREST[0] < cosines[number] < NEAREST[1]]
    return tuple(meanings.words[number] for number in near if not _same_stem(meanings.words[number], word))[:3]


def _same_stem(one: str, two: str) -> bool:
    return one[:4] == two[:4]


def _plural(text: str) -> str:
    if text.endswith("s"):
        return text
    return f"{text[:-1]}ies" if text.endswith("y") and text[-2:-1] not in tuple("aeiou") else f"{text}s"


def _compare(column: int, operator: str, *operands: Operand) -> Predicate:
    return Predicate(Term(column), operator, operands)


def _most_first(query: Query) -> Query:
    return replace(query, order=(Order(query.items[-1], descending=True),))


def _aggregate(draw: _Draw, form: str) -> Query:
    count = Term(table=draw.table, aggregate="COUNT")
    if form == "count":
        return Query((count,))
    if form in ("count by", "count by, most first"):
        query = Query((Term(draw.column("C", "text")), count))
        return _most_first(query) if form.endswith("first") else query
    if form == "distinct":
        return Query((Term(draw.column("C", "text"), aggregate="COUNT", distinct=True),))
    if form in ("count and total", "count and average"):
        group, number = draw.column("C", "text"), draw.column("N", "number")
        return Query((Term(group), count, Term(number, aggregate="SUM" if form.endswith("total") else "AVG")))
    total = Term(draw.column("N", "number"), aggregate=draw.aggregate())
    if form == "aggregate":
        return Query((total,))
    query = Query((Term(draw.column("C", "text")), total))
    return _most_first(query) if form.endswith("first") else query


def _parents(draw: _Draw, form: str) -> Query:
    parent, reference, key = draw.parent()
    display = Term(draw.display(parent))
    count = Term(table=draw.table, aggregate="COUNT")
    if form == "without":
        return Query((display,), where=(_compare(key, "NOT_IN", Query((Term(reference),))),))
    if form == "count per parent":
        return Query((display, count))
    if form == "parent having with":
        at_least = draw.number("k", (2, 3, 4, 5, 10))
        sign = ">=" if "at least" in draw.words["form"] or "至少" in draw.words["form"] else ">"
        return Query((display, count), group=(display.column or 0,), having=(Predicate(count, sign, (at_least,)),))
    limit = draw.number("n", (2, 3, 5, 10))
    if form == "top parents by count":
        return replace(_most_first(Query((display, count))), limit=limit)
    total = Term(draw.column("N", "number"), aggregate=draw.aggregate("SUM", "SUM", "AVG"))
    if form == "aggregate per parent":
        return Query((display, total))
    return replace(_most_first(Query((display, total))), limit=limit)


def _rows(draw: _Draw, form: str) -> Query:
    display = Term(draw.display())
    if form == "is null":
        return Query((display,), where=(_compare(draw.column("C", "any"), "IS_NULL"),))
    number = draw.column("N", "number")
    if form == "list":
        return Query((display, Term(number)) if "{N}" in draw.words["form"] else (display,))
    if form == "above average":
        return Query((display,), where=(_compare(number, ">", Query((Term(number, aggregate="AVG"),))),))
    if form == "over":
        return Query((display,), where=(_compare(number, ">", draw.number("k", (5, 10, 50, 100, 500, 1000))),))
    limit, order = draw.number("n", (2, 3, 5, 10)), (Order(Term(number), descending=True),)
    if form == "top per group":
        group = draw.column("C", "text")
        return Query((Term(group), display), order=order, limit=limit, per=group)
    items = (display, Term(number)) if form == "top rows with" else (display,)
    return Query(items, order=order, limit=limit)


def _counts(draw: _Draw, form: str) -> Query:
    count = Term(table=draw.table, aggregate="COUNT")
    if form == "count under":
        number = draw.column("N", "number")
        return Query((count,), where=(_compare(number, "<", draw.number("k", (5, 10, 50, 100, 500, 1000))),))
    if form in ("count null", "count not null"):
        test = "IS_NULL" if form == "count null" else "NOT_NULL"
        return Query((count,), where=(_compare(draw.column("C", "any"), test),))
    group = Term(draw.column("C", "text"))
    if form == "having aggregate":
        total = Term(draw.column("N", "number"), aggregate=draw.aggregate("SUM", "AVG"))
        bound = draw.number("k", (10, 50, 100, 1000, 5000))
        return Query((group, total), group=(group.column or 0,), having=(Predicate(total, ">", (bound,)),))
    items = (group, count) if form == "having with" else (group,)
    having = (Predicate(count, ">", (draw.number("k", (1, 2, 3, 5, 10)),)),)
    return Query(items, group=(group.column or 0,), having=having)


def _filtered(draw: _Draw, form: str) -> Query:
    group = draw.column("C", "text")
    values = [draw.cell(slot, group) for slot in "vwx" if f"{{{slot}}}" in draw.words["form"]]
    where = (_compare(group, "=" if len(values) == 1 else "ONE_OF", *values),)
    count = Term(table=draw.table, aggregate="COUNT")
    if form in ("percent", "share"):
        return Query((replace(count, share=form.upper()),), where=where)
    if form == "filtered count":
        return Query((count,), where=where)
    if form in ("filtered", "one of"):
        return Query((Term(draw.display()),), where=where)
    return Query((Term(draw.column("N", "number"), aggregate=draw.aggregate()),), where=where)


def _shares(draw: _Draw, form: str) -> Query:
    group = Term(draw.column("C", "text"))
    if form == "percent of total by":
        return Query((group, Term(draw.column("N", "number"), aggregate="SUM", share="PERCENT")))
    share = "PERCENT" if form == "percent by" else "SHARE"
    return Query((group, Term(table=draw.table, aggregate="COUNT", share=share)))


def _arithmetic(draw: _Draw, form: str) -> Query:
    number = draw.column("N", "number")
    group = (Term(draw.column("C", "text")),) if form.endswith(" by") else ()
    form = form.removesuffix(" by")
    if form == "range":
        return Query((Term(number, aggregate="MAX", operator="-", right=Term(number, aggregate="MIN")),))
    other = draw.column("M", "number")
    if form in ("ratio", "percent of"):
        sign = "/" if form == "ratio" else "%"
        return Query((*group, Term(number, aggregate="SUM", operator=sign, right=Term(other, aggregate="SUM"))))
    if form in ("product", "sum of two"):
        name = draw.aggregate("SUM", "AVG") if "{agg}" in draw.words["form"] else "SUM"
        return Query(
            (*group, Term(number, aggregate=name, operator="*" if form == "product" else "+", right=Term(other)))
        )
    return Query((Term(draw.display()), Term(number, operator="-" if form == "difference" else "/", right=Term(other))))


def _revenue(draw: _Draw, form: str) -> Query:
    names = draw.spoken.links.names
    near = {draw.table, *(table for table, _ in names.neighbours[draw.table])}
    columns = [one for table in near for one in names.columns_of[table] if not _is_key(draw.spoken, one)]
    numbers = [one for one in columns if column_kind(names.columns[one]) == "number"]
    prices = [one for one in numbers if any(part in names.columns[one].name.lower() for part in PRICES)]
    amounts = [one for one in numbers if any(part in names.columns[one].name.lower() for part in QUANTITIES)]
    amounts = [one for one in amounts if names.table_of[one] == draw.table and one not in prices]
    if not prices or not amounts:
        raise UnfitError
    total = Term(amounts[0], aggregate="SUM", operator="*", right=Term(prices[0]))
    return Query(
        (Term(draw.column("C", "text", draw.chance.choice(sorted(near)))), total) if form.endswith("by") else (total,)
    )


BUILDERS: tuple[tuple[Callable[[_Draw, str], Query], tuple[str, ...]], ...] = (
    (
        _aggregate,
        (
            *("aggregate", "aggregate", "count", "aggregate by", "aggregate by", "count by", "count by", "distinct"),
            *("count and total", "count and average", "count by, most first", "aggregate by, most first"),
        ),
    ),
    (
        _parents,
        (
            *("count per parent", "aggregate per parent", "top parents", "top parents by count"),
            *("without", "without", "parent having with"),
        ),
    ),
    (
        _rows,
        ("top rows", "top rows with", "is null", "above average", "over", "list", "top per group", "top per group"),
    ),
    (_counts, ("count null", "count not null", "having", "having with", "having aggregate", "count under")),
    (
        _filtered,
        (
            *("one of", "one of", "aggregate one of", "filtered aggregate", "filtered count", "filtered"),
            *("percent", "percent", "share"),
        ),
    ),
    (_shares, ("percent by", "percent of total by", "share by")),
    (
        _arithmetic,
        (
            *("product", "product by", "difference", "sum of two", "quotient", "range", "ratio", "ratio by"),
            *("percent of", "percent of by"),
        ),
    ),
    (_revenue, ("revenue", "revenue by")),
)
CHOICES = [(builder, form) for builder, forms in BUILDERS for form in forms]


def business_question(spoken: Spoken, chance: random.Random) -> tuple[SchemaLinks, str, Query] | None:
    """Return a question with its query, and the schema with the cells that it mentions; None if no draw fits."""
    for _ in range(TRIES):
        builder, form = chance.choice(CHOICES)
        draw = _Draw(spoken, chance, chance.randrange(len(spoken.links.names.tables)))
        draw.words["form"] = chance.choice(FORMS[form][spoken.chinese])
        try:
            tree = builder(draw, form)
            draw.name_table()
            question = draw.words["form"].format(**draw.words)
        except (UnfitError, KeyError):
            continue
        question = question if chance.random() < 0.3 else question[:1].upper() + question[1:]
        links = spoken.links.with_cells(draw.new_cells) if draw.new_cells else spoken.links
        return links, question, tree
    return None


def spoken_schemas(english: Mapping[str, SchemaLinks], chinese: Mapping[str, SchemaLinks]) -> list[Spoken]:
    """Return the databases of each language as they are, abbreviated with comments, and named in the other language."""
    cells = [cell for links in english.values() for column in links.names.columns for cell in column.values[:2]]
    plain = [cell for cell in cells if _is_plain(cell)]
    found = [Spoken(links, links.column_tokens, links.table_tokens, False) for links in english.values()]
    for name, links in english.items():
        cryptic = SchemaLinks(SchemaIndex(abbreviated(links.names, random.Random(name))))
        found += (
            [Spoken(cryptic, links.column_tokens, links.table_tokens, False)]
            if random.Random(name).random() < 0.25
            else []
        )
    for name, links in chinese.items():
        crossed = SchemaLinks(SchemaIndex(in_english(links.names, random.Random(name))))
        found += [
            Spoken(links, links.column_tokens, links.table_tokens, True, plain),
            Spoken(crossed, links.column_tokens, links.table_tokens, True, plain),
        ]
        if random.Random(name).random() < 0.3:
            found.append(Spoken(links, crossed.column_tokens, crossed.table_tokens, False, plain))
    return found


def business_examples(schemas: Sequence[Spoken], count: int, chance: random.Random) -> list[Example]:
    """Return about `count` examples about randomly drawn schemas."""
    found = []
    for _ in range(count):
        asked = business_question(chance.choice(schemas), chance)
        example = make_example(asked[1], asked[0], asked[2]) if asked else None
        found += [example] if example else []
    return found
