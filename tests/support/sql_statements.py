"""Random statements with the planner and without: do they give the same?

    python tests/support/sql_statements.py --seed 0 --count 20000 [--show] [--calls]

tells of every difference with its seed, and with `--calls` of every case in which the planner makes more calls;
`--seed N --count 1 --show` writes the case out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator

from support.sql_cases import case_of
from support.two_sides import TwoSides, Verdict, two_sides


def verdicts(sides: TwoSides, first: int, count: int) -> Iterator[Verdict]:
    """Try the cases of so many seeds."""
    for seed in range(first, first + count):
        yield sides.try_case(case_of(seed))


def tally(verdict: Verdict) -> str:
    """Say in a word what a case came to."""
    if verdict.difference:
        return "different"
    if any(outcome.error for outcome in verdict.plain):
        return "errors"
    return "rows" if any(outcome.rows for outcome in verdict.plain[:-2]) else "no rows"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--calls", action="store_true")
    chosen = parser.parse_args()
    counts, calls, errors, started = Counter[str](), [0, 0], Counter[str](), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QUACKLLM_HOME"] = folder
        with two_sides() as sides:
            for verdict in verdicts(sides, chosen.seed, chosen.count):
                counts[tally(verdict)] += 1
                calls = [calls[0] + verdict.calls[0], calls[1] + verdict.calls[1]]
                errors.update(f"{o.error}: {o.message[:90]}" for o in verdict.plain if o.error)
                if chosen.show or verdict.difference or (chosen.calls and verdict.calls[0] > verdict.calls[1]):
                    print(verdict, flush=True)
    seconds = time.perf_counter() - started
    print(f"{dict(counts)}, {calls[0]} calls planned, {calls[1]} plain, {seconds:.0f} s")
    for error, count in errors.most_common(25 if chosen.show else 0):
        print(count, error)


if __name__ == "__main__":
    main()
