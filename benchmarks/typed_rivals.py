"""Filter and classify of LOTUS or BlendSQL over the reviews of `typed.py`, from a local server of the same model.

    llama-server -m model.gguf --port 8199 --parallel 1 --threads 1
    python benchmarks/typed_rivals.py lotus Reviews.csv http://127.0.0.1:8199/v1 [--rows 200]

Each runs in an environment of its own: `pip install lotus-ai duckdb`, or `pip install blendsql`. Calls are sent one at
a time. Seconds, by the clock, and tokens, as each counts them itself, are divided by the rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

LABELS = ("positive", "negative")
ROWS = (
    "SELECT reviewText, scoreSentiment = 'POSITIVE', lower(scoreSentiment) FROM read_csv($1) WHERE reviewText <> '' "
    "ORDER BY hash(reviewId) LIMIT $2"
)
Usage = tuple[int, int]
"""Tokens read and written so far."""


class Lotus:
    """LOTUS: a filter, and a map, because it has no function to classify. An unreadable verdict of a filter is TRUE."""

    def __init__(self, url: str) -> None:
        import lotus
        import pandas

        self._lm = lotus.models.LM("openai/local", api_base=url, api_key="none", max_batch_size=1)
        lotus.settings.configure(lm=self._lm)
        self._frame = pandas.DataFrame

    def filter(self, texts: Sequence[str]) -> list[Any]:
        """Return whether the critic likes each film."""
        frame = self._frame({"body": texts})
        kept = frame.sem_filter("the critic likes the film in {body}")
        return [place in kept.index for place in frame.index]

    def classify(self, texts: Sequence[str]) -> list[Any]:
        """Return a label for each text."""
        question = "Choose the one label that fits {body}: positive or negative. Answer only with that label."
        return list(self._frame({"body": texts}).sem_map(question)["_map"])

    @property
    def usage(self) -> Usage:
        """The tokens."""
        usage = self._lm.stats.physical_usage
        return usage.prompt_tokens, usage.completion_tokens


class BlendSql:
    """BlendSQL: a map to a boolean, and a map to options. llama.cpp's server ignores its grammar, which is vLLM's."""

    def __init__(self, url: str) -> None:
        from blendsql import config

        config.set_async_limit(1)
        self._url, self.usage = url, (0, 0)

    def filter(self, texts: Sequence[str]) -> list[Any]:
        """Return whether the critic likes each film."""
        return self._map(texts, "{{LLMMap('Does the critic like the film?', review.body, return_type='bool')}}")

    def classify(self, texts: Sequence[str]) -> list[Any]:
        """Return a label for each text."""
        call = "{{LLMMap('Which label fits the review?', review.body, options=('positive', 'negative'))}}"
        return self._map(texts, call)

    def _map(self, texts: Sequence[str], call: str) -> list[Any]:
        import pandas
        from blendsql import BlendSQL
        from blendsql.models import VLLM

        # A second statement of the same model finds its event loop closed. LOTUS asks for temperature 0 by itself.
        model = VLLM("local", base_url=self._url, extra_body={"temperature": 0})
        frame = pandas.DataFrame({"place": range(len(texts)), "body": texts})
        sql = f"SELECT place, {call} AS answer FROM review ORDER BY place"
        found = BlendSQL({"review": frame}, model=model).execute(sql)
        read, written = self.usage
        self.usage = read + found.meta.prompt_tokens, written + found.meta.completion_tokens
        return list(found.df()["answer"])


SYSTEMS: dict[str, Callable[[str], Any]] = {"lotus": Lotus, "blendsql": BlendSql}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("reviews", type=Path, help="Reviews.csv")
    parser.add_argument("url", help="of a server that speaks OpenAI's API")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--functions", nargs="+", choices=("filter", "classify"), default=("filter", "classify"))
    options = parser.parse_args()
    system = SYSTEMS[options.system](options.url)
    rows = duckdb.execute(ROWS, [str(options.reviews), options.rows]).fetchall()
    print("| function | answers | accuracy | no answer | seconds a row | tokens read | written |")
    print("|---|---|---|---|---|---|---|")
    for place, function in enumerate(("filter", "classify"), 1):
        if function not in options.functions:
            continue
        before, begun = system.usage, time.perf_counter()
        answers = getattr(system, function)([row[0] for row in rows])
        seconds = time.perf_counter() - begun
        read, written = ((now - then) / len(rows) for now, then in zip(system.usage, before, strict=True))
        if function == "classify":
            answers = [label if (label := str(answer).strip().lower()) in LABELS else None for answer in answers]
        right = sum(answer == row[place] for answer, row in zip(answers, rows, strict=True)) / len(rows)
        none = sum(answer is None for answer in answers)
        print(
            f"| {function}, {len(rows)} rows | {options.system} | {right:.2f} | {none} | {seconds / len(rows):.1f} "
            f"| {read:.0f} | {written:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
