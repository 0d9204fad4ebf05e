"""Business questions about many schemas: the phrases of `business_forms` with the queries that they mean."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ....workers.builtin.network.schema_linking import SchemaLinks
from ....workers.builtin.network.training_batches import ParserExample
from ....workers.builtin.query.query_tree import Operand, Order, Predicate, Query, Term
from ....workers.builtin.schema.schema_index import SchemaIndex, column_kind
from .business_draw import QuestionDraft, Spoken, UnfitError, is_key, is_plain
from .business_forms import FORMS
from .renamed_schemas import abbreviated, in_english
from .training_examples import make_example

PRICES = ("price", "fee", "cost", "rate", "amount", "价", "费", "金额")
QUANTITIES = ("quantity", "qty", "count", "number", "units", "数量", "件数")
TRIES = 5


def _compare(column: int, operator: str, *operands: Operand) -> Predicate:
    return Predicate(Term(column), operator, operands)


def _most_first(query: Query) -> Query:
    return replace(query, order=(Order(query.items[-1], descending=True),))


def _aggregate(draw: QuestionDraft, form: str) -> Query:
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


def _parents(draw: QuestionDraft, form: str) -> Query:
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


def _rows(draw: QuestionDraft, form: str) -> Query:
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


def _counts(draw: QuestionDraft, form: str) -> Query:
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


def _filtered(draw: QuestionDraft, form: str) -> Query:
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


def _shares(draw: QuestionDraft, form: str) -> Query:
    group = Term(draw.column("C", "text"))
    if form == "percent of total by":
        return Query((group, Term(draw.column("N", "number"), aggregate="SUM", share="PERCENT")))
    share = "PERCENT" if form == "percent by" else "SHARE"
    return Query((group, Term(table=draw.table, aggregate="COUNT", share=share)))


def _arithmetic(draw: QuestionDraft, form: str) -> Query:
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


def _revenue(draw: QuestionDraft, form: str) -> Query:
    names = draw.spoken.links.names
    near = {draw.table, *(table for table, _ in names.neighbours[draw.table])}
    columns = [one for table in near for one in names.columns_of[table] if not is_key(draw.spoken, one)]
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


BUILDERS: tuple[tuple[Callable[[QuestionDraft, str], Query], tuple[str, ...]], ...] = (
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
        draw = QuestionDraft(spoken, chance, chance.randrange(len(spoken.links.names.tables)))
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
    plain = [cell for cell in cells if is_plain(cell)]
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


def business_examples(schemas: Sequence[Spoken], count: int, chance: random.Random) -> list[ParserExample]:
    """Return about `count` examples about randomly drawn schemas."""
    found = []
    for _ in range(count):
        asked = business_question(chance.choice(schemas), chance)
        example = make_example(asked[1], asked[0], asked[2]) if asked else None
        found += [example] if example else []
    return found
