"""Is a stated accuracy kept, and what does it save? Simulated models and proxies, 200 seeded trials each.

    python benchmarks/accuracy.py [--rows 4000] [--trials 200] [--promise accuracy] [--target 0.9]

A trial draws rows of which the model calls a share true, and a proxy's score for each; `quackllm.udf.accuracy` decides
which of the proxy's answers stand in. A promise with confidence 0.95 may be missed in 5 % of the trials: the last
column is the probability of at least so many misses if 5 % were the truth (binomial test), below 0.01 it is broken.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from quackllm.udf.accuracy.guarantee import Guarantee
from quackllm.udf.accuracy.proxy import train_proxy
from quackllm.udf.accuracy.proxy_thresholds import Calibration, Proposal

TRAINING = 100
QUALITY = {"good": 4.0, "medium": 2.0, "useless": 0.0}
"""Between the means of the scores of true and of false rows, in standard deviations."""
PROXIES = (*QUALITY, "trained", "votes", "liar", "borderline")
PROMISES = ("accuracy", "recall", "precision", "recall and precision")


@dataclass(frozen=True)
class Trial:
    """What one trial came to: whether the promise was missed, and the shares of rows saved and drawn."""

    missed: bool
    saved: float
    drawn: float


def scores(kind: str, true: np.ndarray, target: float, promise: str, random: np.random.Generator) -> np.ndarray:
    """Return a proxy's scores.

    'trained' is logistic regression on vectors; 'votes' the share of three draws of a helper that is right three times
    of four; 'liar' is the surest where it is wrong; 'borderline' is right but for a tenth more rows than are allowed,
    which is the hardest case for a test.
    """
    share = float(true.mean())
    if kind in QUALITY:
        distance = QUALITY[kind]
        seen = random.normal(size=len(true)) + distance * (true - 0.5)
        return np.asarray(1 / (1 + np.exp(-(distance * seen + math.log(share / (1 - share))))))
    if kind == "trained":
        vectors = random.normal(size=(len(true), 32))
        vectors[:, 0] += 3.0 * true
        proxy = train_proxy(vectors[:TRAINING], [bool(one) for one in true[:TRAINING]])
        return np.zeros(len(true)) if proxy is None else proxy.probabilities(vectors)[:, -1]
    if kind == "votes":
        return np.asarray((random.random((3, len(true))) < np.where(true, 0.75, 0.25)).mean(axis=0))
    if kind == "liar":
        return np.where(true, random.random(len(true)) * 0.05, 1.0 - random.random(len(true)) * 0.05)
    found = np.where(true, 0.5 + random.random(len(true)) / 2, random.random(len(true)) / 2)
    allowed = {
        "accuracy": (1 - target) * len(true),
        "recall": (1 - target) * true.sum(),
        "recall and precision": (1 - target) * true.sum(),
        "precision": (1 - target) / target * true.sum(),
    }[promise]
    wrong = random.permutation(np.flatnonzero(true != (promise == "precision")))[: math.ceil(1.1 * allowed)]
    found[wrong] = random.random(len(wrong)) / 2 + (0.5 if promise == "precision" else 0.0)
    return found


def trial(kind: str, share: float, rows: int, promise: str, target: float, seed: int) -> Trial:
    """Run one trial."""
    random = np.random.default_rng(seed)
    true = random.random(rows) < share
    score = scores(kind, true, target, promise, random)
    wanted = Guarantee(**dict.fromkeys(promise.split(" and "), target))
    labels = {row: bool(true[row]) for row in range(TRAINING)}
    proposal = Proposal([bool(one > 0.5) for one in score], score)
    calibration = Calibration(wanted, proposal, labels, TRAINING, float(np.mean(true[:TRAINING])))
    running = calibration.run()
    asked: list[int] = []
    try:
        rows_asked = next(running)
        while True:
            asked += rows_asked
            rows_asked = running.send({row: bool(true[row]) for row in rows_asked})
    except StopIteration as ended:
        decision = ended.value
    given = true.copy()
    given[list(decision.taken)] = list(decision.taken.values())
    return Trial(is_missed(wanted, true, given), len(decision.taken) / rows, (len(asked) + TRAINING) / rows)


def is_missed(wanted: Guarantee, true: np.ndarray, given: np.ndarray) -> bool:
    """Return whether the answers break the promise."""
    both = int((true & given).sum())
    return (
        (wanted.accuracy is not None and float((true == given).mean()) < wanted.accuracy)
        or (wanted.recall is not None and both < wanted.recall * true.sum())
        or (wanted.precision is not None and both < wanted.precision * given.sum())
    )


def chance_of(misses: int, trials: int, risk: float = 0.05) -> float:
    """Return the probability of at least so many misses where each trial misses with a probability of `risk`."""
    return sum(
        math.comb(trials, many) * risk**many * (1 - risk) ** (trials - many) for many in range(misses, trials + 1)
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--promise", choices=PROMISES, action="append")
    parser.add_argument("--target", type=float, action="append")
    given = parser.parse_args()
    print("| promise | true rows | proxy | misses | calls saved | asked before | p |\n|---|---|---|---|---|---|---|")
    cases = product(given.promise or PROMISES, given.target or (0.9, 0.95), (0.5, 0.1), PROXIES)
    broken = 0
    for promise, target, share, kind in cases:
        found = [trial(kind, share, given.rows, promise, target, seed) for seed in range(given.trials)]
        misses = sum(one.missed for one in found)
        chance = chance_of(misses, given.trials)
        broken += chance < 0.01
        saved, drawn = (100 * float(np.mean([getattr(one, name) for one in found])) for name in ("saved", "drawn"))
        row = (f"{promise} {target:g}", f"{share:.0%}", kind, f"{misses} of {given.trials}", f"{saved:.0f} %")
        print(f"| {' | '.join(row)} | {drawn:.0f} % | {chance:.2g} |", flush=True)
    print(f"\nbroken: {broken}")


if __name__ == "__main__":
    main()
