"""Forty questions with model calls: how many calls each way of asking them makes, how long it takes, what it costs.

    python benchmarks/semantic.py [--latency 0.02] [--concurrency 64] [--only quackllm LOTUS] [--details]

One stand-in service on loopback answers all contenders in one run, and counts their calls. The limit beside them is
a direct asyncio client that is told which requests are left when the native predicates are done. A peer is asked those
of the questions that it can express, and stands beside our figures for the same ones. benchmarks/prices.yaml says what
tokens cost.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "standin"))

from contenders import DIRECT, OURS, PLAIN, POOL, WITHOUT, Contender, contenders
from fixtures import StandIn, running_service
from peers.jobs import peer_measured
from peers.run import SCRIPTS
from quackllm.udf.calls.prices import PRICES
from quackllm.udf.settings import load_yaml
from queries import Query, load, plain
from report import Panel, draw, keep, short, tell
from totals import Measured, Results

ORDER = (PLAIN, POOL, WITHOUT, OURS, DIRECT, *SCRIPTS)


def main() -> None:
    """Ask all contenders in turn, and print their totals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds the service takes for an answer")
    parser.add_argument("--concurrency", type=int, default=64, help="requests at once, where a contender can")
    parser.add_argument("--only", nargs="+", default=ORDER, help="contenders whose names begin so")
    parser.add_argument("--details", action="store_true", help="also each question's calls")
    options = parser.parse_args()
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    queries = load()
    needed = {query.name: sum(map(len, query.requests(plain(query.database)))) for query in queries}
    with running_service("--latency", str(options.latency)) as service:
        chosen = [name for name in ORDER if name.startswith(tuple(options.only))]
        measured = {name: asked(name, queries, service, options.concurrency) for name in chosen}
    price = load_yaml(Path(__file__).with_name("prices.yaml"), PRICES, "judge: {input: 0.15, output: 0.60}")["judge"]
    title = f"{len(queries)} questions, {options.latency:g} s an answer, {options.concurrency} requests at once"
    report(title, Results(queries, needed, measured, price))
    if options.details:
        details(queries, needed, measured)


def asked(name: str, queries: Sequence[Query], service: StandIn, concurrency: int) -> dict[str, Measured]:
    """Return what each question took a contender; those it cannot express are left out."""
    service.reset()
    if name in SCRIPTS:
        return peer_measured(name, queries, service, concurrency)
    with contenders(name, service, concurrency) as contender:
        contender.warm_up()
        return {query.name: one(contender, query, service) for query in queries}


def one(contender: Contender, query: Query, service: StandIn) -> Measured:
    """Return what one question took."""
    service.reset()
    started = perf_counter()
    contender.ask(query)
    seconds = perf_counter() - started
    state = service.state()
    return Measured(seconds, state["count"], state["input_tokens"], state["output_tokens"])


def report(title: str, results: Results) -> None:
    """Print the totals of each contender, beside ours for the same questions; write the picture and the figures."""
    totals, same = results.totals(), results.same(OURS)
    columns = ("", "questions", "calls", "needed", "seconds", "money", "our calls", "our seconds", "failed")
    tell(title, columns, [(name, *totals[name].row(same[name])) for name in totals])
    keep("semantic", {"title": title, **results.told(OURS)})
    all_asked = {name: total for name, total in totals.items() if len(total.names) == len(results.queries)}
    if len(all_asked) > 1:
        limit = sum(results.needed.values())
        calls = Panel("calls", {name: total.calls for name, total in all_asked.items()}, limit=limit)
        seconds = Panel("seconds", {name: total.seconds for name, total in all_asked.items()}, log=True)
        draw("semantic", title, [calls, seconds])


def details(queries: Sequence[Query], needed: dict[str, int], measured: dict[str, dict[str, Measured]]) -> None:
    """Print how many calls each contender made for each question."""
    rows = []
    for query in queries:
        found = [answers.get(query.name) for answers in measured.values()]
        cells = ["" if one is None else one.error or f"{one.calls:,} / {short(one.seconds)} s" for one in found]
        rows.append((query.name, f"{'≤ ' if query.limit else ''}{needed[query.name]}", *cells))
    tell("calls and seconds for each question", ("", "needed", *measured), rows)


if __name__ == "__main__":
    main()
