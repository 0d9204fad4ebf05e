"""How people ask business questions, in English and Chinese: one list of phrases for each form of query.

Slots: {T} a table, {Ts} its plural, {P} and {Ps} a table that it refers to, {N} and {M} number columns, {C} a column
to group or filter by, {D} the column that names a row, {v} {w} {x} cells of C, {n} a small number, {k} a larger one,
{agg} an aggregate's word.
"""

from __future__ import annotations

AGGREGATE_WORDS = {
    "SUM": (("total", "sum of", "overall", "combined", "total"), ("总", "合计", "累计")),
    "AVG": (("average", "mean", "avg"), ("平均",)),
    "MAX": (("highest", "maximum", "largest", "max"), ("最高", "最大")),
    "MIN": (("lowest", "minimum", "smallest", "min"), ("最低", "最小")),
}

FORMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "aggregate": (
        (
            "{agg} {N}",
            "{agg} {N} of {Ts}",
            "What is the {agg} {N}?",
            "show me the {agg} {N} of all {Ts}",
            "What was our {agg} {N}?",
        ),
        ("{agg}{N}", "{T}的{agg}{N}", "{T}的{agg}{N}是多少？", "所有{T}的{N}{agg}是多少"),
    ),
    "count": (
        ("number of {Ts}", "How many {Ts} are there?", "count {Ts}", "how many {Ts} do we have", "{T} count"),
        ("{T}总数", "有多少{T}？", "{T}的数量", "一共有多少个{T}", "{T}有多少"),
    ),
    "aggregate by": (
        (
            "{agg} {N} by {C}",
            "{agg} {N} per {C}",
            "For each {C}, the {agg} {N}",
            "{agg} {N} of {Ts} by {C}",
            "What is the {agg} {N} for each {C}?",
        ),
        ("各{C}的{agg}{N}", "按{C}统计{agg}{N}", "每个{C}的{agg}{N}是多少？", "不同{C}的{T}的{agg}{N}"),
    ),
    "count by": (
        (
            "number of {Ts} by {C}",
            "number of {Ts} per {C}",
            "How many {Ts} are there for each {C}?",
            "{Ts} by {C}",
            "{Ts} per {C}",
            "breakdown of {Ts} by {C}",
        ),
        ("各{C}的{T}数量", "按{C}统计{T}数", "每个{C}有多少{T}？", "每种{C}的{T}数", "按{C}统计{T}的数量"),
    ),
    "count per parent": (
        (
            "number of {Ts} per {P}",
            "How many {Ts} does each {P} have?",
            "{Ts} per {P}",
            "For each {P}, how many {Ts} are there?",
            "{Ts} by {P}",
        ),
        ("每个{P}的{T}数", "各{P}的{T}数量", "每个{P}有多少{T}？", "按{P}统计{T}数量"),
    ),
    "aggregate per parent": (
        (
            "{agg} {N} per {P}",
            "{agg} {N} by {P}",
            "What is the {agg} {N} of each {P}?",
            "For every {P} the {agg} {N} of {Ts}",
        ),
        ("每个{P}的{agg}{N}", "各{P}的{agg}{N}", "按{P}统计{T}的{agg}{N}"),
    ),
    "top parents": (
        (
            "top {n} {Ps} by {agg} {N}",
            "The {n} {Ps} with the highest {agg} {N}",
            "Which {n} {Ps} have the highest {agg} {N}?",
            "top {n} {Ps} by {agg} {N}, with the amount",
        ),
        ("{agg}{N}最高的{n}个{P}", "{agg}{N}最多的{n}个{P}", "{agg}{N}排名前{n}的{P}"),
    ),
    "top parents by count": (
        (
            "top {n} {Ps} by number of {Ts}",
            "The {n} {Ps} with the most {Ts}",
            "Which {n} {Ps} have the most {Ts}, and how many?",
        ),
        ("{T}最多的{n}个{P}", "{T}数量排名前{n}的{P}", "{T}最多的{n}个{P}及其数量"),
    ),
    "top rows": (
        (
            "The {n} {Ts} with the highest {N}",
            "Which {n} {Ts} have the largest {N}?",
            "{D} of the {n} {Ts} with the most {N}",
        ),
        ("{N}最高的{n}个{T}", "{N}最大的{n}个{T}的{D}", "{N}排名前{n}的{T}"),
    ),
    "top rows with": (
        (
            "top {n} {Ts} by {N}",
            "The {n} {Ts} with the highest {N} and their {N}",
            "{D} and {N} of the top {n} {Ts} by {N}",
        ),
        ("{N}最高的{n}个{T}及其{N}", "{N}最高的{n}个{T}的{D}和{N}"),
    ),
    "without": (
        (
            "{Ps} without any {Ts}",
            "Which {Ps} have no {Ts}?",
            "{Ps} that never had a {T}",
            "{D} of {Ps} with no {Ts}",
            "{Ps} without {Ts}",
            "{Ps} nobody has a {T} for",
        ),
        ("没有{T}的{P}", "哪些{P}没有{T}？", "没有任何{T}的{P}的{D}", "从未有过{T}的{P}"),
    ),
    "is null": (
        (
            "{Ts} without a {C}",
            "{D} of {Ts} whose {C} is missing",
            "{Ts} with no {C}",
            "{Ts} where {C} is empty",
            "Which {Ts} have no {C}?",
            "{Ts} whose {C} is null",
            "{Ts} that have not been given a {C} yet",
        ),
        ("没有{C}的{T}", "{C}为空的{T}的{D}", "哪些{T}没有{C}？", "缺少{C}的{T}"),
    ),
    "count null": (
        (
            "How many {Ts} have no {C}?",
            "number of {Ts} without a {C}",
            "How many {Ts} are missing the {C}?",
            "count of {Ts} where {C} is null",
            "how many {Ts} are not yet {C}",
        ),
        ("有多少{T}没有{C}？", "没有{C}的{T}有多少？", "{C}为空的{T}数量", "尚未{C}的{T}有多少"),
    ),
    "count not null": (
        (
            "How many {Ts} have a {C}?",
            "number of {Ts} with a {C}",
            "how many {Ts} have been given a {C}",
            "how many {Ts} where {C} is not null",
        ),
        ("有多少{T}有{C}？", "有{C}的{T}有多少？", "{C}不为空的{T}数量", "已经{C}的{T}有多少"),
    ),
    "one of": (
        (
            "{D} of {Ts} whose {C} is {v} or {w}",
            "{Ts} with {C} {v} or {w}",
            "Which {Ts} are {v}, {w} or {x}?",
            "{Ts} from {v} or {w}",
            "{D} of {v} and {w} {Ts}",
        ),
        ("{C}为{v}或{w}的{T}", "{C}是{v}、{w}或{x}的{T}的{D}", "来自{v}或{w}的{T}"),
    ),
    "aggregate one of": (
        ("{agg} {N} of {Ts} whose {C} is {v} or {w}", "{agg} {N} of {v} and {w}", "{agg} {N} for {v} or {w}"),
        ("{C}为{v}或{w}的{T}的{agg}{N}", "{v}和{w}的{agg}{N}"),
    ),
    "filtered aggregate": (
        (
            "{agg} {N} of {v}",
            "{agg} {N} of {Ts} with {C} {v}",
            "{agg} {N} where {C} is {v}",
            "{agg} {N} for {v} {Ts}",
            "{agg} {N} of {Ts} ({C} {v})",
        ),
        ("{C}为{v}的{T}的{agg}{N}", "{v}的{agg}{N}", "{v}{T}的{agg}{N}是多少？"),
    ),
    "filtered count": (
        (
            "How many {v} {Ts} are there?",
            "How many {Ts} have {C} {v}?",
            "number of {Ts} with {C} {v}",
            "{v} {Ts}, how many?",
            "number of {v} {Ts}",
        ),
        ("{C}为{v}的{T}有多少？", "有多少{v}{T}？", "{v}的{T}数量"),
    ),
    "filtered": (
        ("{D} of {Ts} with {C} {v}", "Which {Ts} are from {v}?", "{Ts} whose {C} is {v}", "{v} {Ts}"),
        ("{C}为{v}的{T}的{D}", "{C}是{v}的{T}", "{v}的{T}有哪些？"),
    ),
    "product": (
        (
            "total of {N} times {M}",
            "{N} times {M} in total",
            "sum of {N} multiplied by {M}",
            "Total of {N} times {M} over all {Ts}",
            "sum of {N} x {M}",
            "{agg} of {N} times {M}",
        ),
        ("{N}乘以{M}之和", "{N}乘以{M}的总和", "{N}与{M}的乘积之和", "{T}的{N}×{M}总计"),
    ),
    "product by": (
        ("total of {N} times {M} by {C}", "{N} times {M} per {C}", "sum of {N} multiplied by {M} for each {C}"),
        ("各{C}的{N}乘以{M}之和", "按{C}统计{N}乘以{M}的总和"),
    ),
    "revenue": (
        ("revenue", "total revenue", "total sales", "What is our revenue?", "sales", "our turnover"),
        ("总销售额", "销售额是多少？", "营业额", "销售额", "总收入"),
    ),
    "revenue by": (
        ("revenue by {C}", "revenue per {C}", "sales by {C}", "total sales per {C}", "turnover of each {C}"),
        ("各{C}的销售额", "按{C}统计销售额", "每个{C}的营业额"),
    ),
    "difference": (
        (
            "{D} of each {T} and its {N} minus its {M}",
            "Show {D} and {N} minus {M} of {Ts}",
            "{D} and the difference between {N} and {M} of {Ts}",
            "each {T}'s {D} with {N} less {M}",
        ),
        ("每个{T}的{D}及{N}减{M}", "列出{T}的{D}以及{N}与{M}的差额", "{T}的{D}和{N}减去{M}的差"),
    ),
    "sum of two": (
        ("sum of {N} plus {M}", "total {N} and {M} of all {Ts} together", "{N} plus {M} in total"),
        ("{N}加{M}的总和", "{T}的{N}与{M}之和", "所有{T}的{N}加{M}总计"),
    ),
    "quotient": (
        (
            "{D} and {N} divided by {M} of {Ts}",
            "{N} per {M} for each {T}'s {D}",
            "Show {D} and the ratio of {N} to {M}",
        ),
        ("{T}的{D}及{N}除以{M}", "每个{T}的{D}和{N}与{M}之比"),
    ),
    "range": (
        (
            "difference between the highest and the lowest {N}",
            "range of {N}",
            "How far apart are the largest and the smallest {N} of {Ts}?",
            "max {N} minus min {N}",
        ),
        ("{N}的最高值与最低值相差多少？", "{T}最大{N}与最小{N}之差", "{N}的极差"),
    ),
    "ratio": (
        (
            "total {N} divided by total {M}",
            "{N} per {M} over all {Ts}",
            "overall {N} per {M}",
            "ratio of total {N} to total {M}",
        ),
        ("总{N}除以总{M}", "{T}的{N}总和与{M}总和之比", "平均每{M}的{N}"),
    ),
    "ratio by": (
        ("total {N} divided by total {M} for each {C}", "{N} per {M} by {C}"),
        ("各{C}的总{N}除以总{M}", "按{C}统计{N}总和与{M}总和之比"),
    ),
    "percent of": (
        ("{N} as a percentage of {M}", "What percentage of {M} is {N}?", "{N} as percent of {M} over all {Ts}"),
        ("{N}占{M}的百分比", "{N}占{M}的百分之多少？"),
    ),
    "percent of by": (
        ("{N} as a percentage of {M} for each {C}", "{N} as percent of {M} by {C}"),
        ("各{C}的{N}占{M}的百分比", "每个{C}的{N}占{M}的百分比"),
    ),
    "percent": (
        (
            "What percentage of {Ts} are {v}?",
            "What percentage of {Ts} have {C} {v}?",
            "percentage of {Ts} with {C} {v}",
            "percent of {v} {Ts}",
            "How many percent of the {Ts} are {v}?",
        ),
        ("{C}为{v}的{T}占百分之多少？", "{v}的{T}所占百分比", "{C}为{v}的{T}的百分比", "{v}{T}占百分之几"),
    ),
    "share": (
        (
            "What share of {Ts} is {v}?",
            "fraction of {Ts} with {C} {v}",
            "What proportion of {Ts} have {C} {v}?",
            "share of {v} {Ts}",
        ),
        ("{C}为{v}的{T}占多大比例？", "{v}的{T}所占比例", "{C}为{v}的{T}的占比"),
    ),
    "percent by": (
        (
            "percentage of {Ts} by {C}",
            "share of {Ts} per {C}, in percent",
            "What percentage of {Ts} falls to each {C}?",
            "percentage of {Ts} for each {C}",
        ),
        ("各{C}的{T}占百分比", "各{C}的{T}占比（百分比）", "按{C}统计{T}所占百分比"),
    ),
    "percent of total by": (
        (
            "share of total {N} by {C}, in percent",
            "percentage of the total {N} per {C}",
            "What percentage of the total {N} comes from each {C}?",
        ),
        ("各{C}的{N}占总{N}的百分比", "各{C}{N}占比（百分比）"),
    ),
    "share by": (
        ("share of {Ts} by {C}", "proportion of {Ts} per {C}"),
        ("各{C}的{T}占比", "各{C}{T}所占比例"),
    ),
    "top per group": (
        (
            "top {n} {Ts} by {N} per {C}",
            "For each {C}, the {n} {Ts} with the highest {N}",
            "the {n} {Ts} with the most {N} in every {C}",
            "top {n} {Ts} per {C} by {N}",
        ),
        ("每个{C}中{N}最高的{n}个{T}", "各{C}{N}前{n}名的{T}", "每种{C}里{N}最大的{n}个{T}"),
    ),
    "having": (
        ("Which {C} have more than {k} {Ts}?", "{C} with more than {k} {Ts}", "{C} that occur for more than {k} {Ts}"),
        ("{T}超过{k}个的{C}", "哪些{C}的{T}多于{k}个？"),
    ),
    "having with": (
        (
            "{C} with more than {k} {Ts}, and how many",
            "{C} with more than {k} {Ts}, with their number of {Ts}",
            "{C} with more than {k} {Ts} and their count",
        ),
        ("{T}超过{k}个的{C}及其{T}数", "{T}数多于{k}的{C}及数量"),
    ),
    "parent having with": (
        ("{Ps} with at least {k} {Ts}, and how many", "{Ps} with more than {k} {Ts} and their number of {Ts}"),
        ("至少有{k}个{T}的{P}及其{T}数", "{T}超过{k}个的{P}及其数量"),
    ),
    "having aggregate": (
        ("{C} whose {agg} {N} is above {k}, with the {agg} {N}", "{C} with {agg} {N} over {k}, and the value"),
        ("{agg}{N}超过{k}的{C}及其{agg}{N}", "{agg}{N}大于{k}的{C}和{agg}{N}"),
    ),
    "distinct": (
        (
            "How many different {C} are there?",
            "number of distinct {C} of {Ts}",
            "How many different {C} do {Ts} have?",
            "count of unique {C}",
        ),
        ("有多少种不同的{C}？", "{T}有多少个不同的{C}？", "不同{C}的数量"),
    ),
    "above average": (
        (
            "{Ts} whose {N} is above average",
            "Which {Ts} have a higher {N} than average?",
            "{D} of {Ts} with {N} above the average",
            "{Ts} with more {N} than the mean",
        ),
        ("{N}高于平均值的{T}", "{N}超过平均水平的{T}的{D}", "哪些{T}的{N}高于平均？"),
    ),
    "count and total": (
        (
            "number and total {N} of {Ts} by {C}",
            "For each {C} the number of {Ts} and the total {N}",
            "{C} with number of {Ts} and total {N}",
        ),
        ("按{C}统计{T}数量和总{N}", "各{C}的{T}数量及{N}总和"),
    ),
    "count and average": (
        ("For each {C} the number of {Ts} and the average {N}", "number of {Ts} and average {N} per {C}"),
        ("各{C}的{T}数量和平均{N}", "每个{C}的{T}数及平均{N}"),
    ),
    "count by, most first": (
        ("number of {Ts} by {C}, the most first", "{Ts} per {C}, largest first", "{Ts} by {C} from most to fewest"),
        ("按{C}统计{T}数量，从多到少", "各{C}的{T}数量，从高到低"),
    ),
    "aggregate by, most first": (
        (
            "{agg} {N} by {C}, the largest first",
            "{agg} {N} per {C}, highest first",
            "{agg} {N} by {C} in descending order",
        ),
        ("按{C}统计{agg}{N}，从大到小", "各{C}的{agg}{N}，从高到低"),
    ),
    "over": (
        (
            "{Ts} with {N} over {k}",
            "{D} of {Ts} with a {N} above {k}",
            "{Ts} with more than {k} {N}",
            "Which {Ts} have a {N} greater than {k}?",
        ),
        ("{N}超过{k}的{T}", "{N}大于{k}的{T}的{D}", "哪些{T}的{N}高于{k}？"),
    ),
    "count under": (
        (
            "How many {Ts} have a {N} below {k}?",
            "number of {Ts} with {N} under {k}",
            "How many {Ts} with less than {k} {N}?",
        ),
        ("{N}低于{k}的{T}有多少？", "{N}小于{k}的{T}数量", "有多少{T}的{N}不到{k}？"),
    ),
    "list": (
        ("{D} of all {Ts}", "list {Ts} with {D} and {N}", "Show the {D} and {N} of each {T}"),
        ("所有{T}的{D}", "列出{T}的{D}和{N}", "每个{T}的{D}及{N}"),
    ),
}
