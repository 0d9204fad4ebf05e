"""SemBench's ten movie queries as SQL, beside the stored results of BigQuery, LOTUS, Palimpzest and ThalamusDB.

    git clone --filter=blob:none https://github.com/SemBench/SemBench
    python benchmarks/sembench.py SemBench/files/movie [--query Q7] [--accuracy 0.9]

A service on loopback answers by the data's own labels. Therefore this measures calls, tokens and money, and neither
seconds nor a model's quality. Money is at the price of gemini-2.5-flash, which the stored results were bought at: 0.30
dollars a million tokens read, 2.50 written. A token is 4.33 characters: BigQuery's prompts for Q3 have 45.3 tokens by
its stored bill, and 196 characters on average. Each query starts with an empty call store.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from quackllm.udf.calls.async_store import close_store
from quackllm.workers.serving.local_fleet import local_fleet

import quackllm

PRICE_READ, PRICE_WRITTEN = 0.30e-6, 2.50e-6
CHARACTERS = 4.33
"""Of a token."""
RESULTS = "across_system_2.5flash_sf2000"
SYSTEMS = ("bigquery", "lotus", "palimpzest", "thalamusdb")
POSITIVE = "'This movie review is clearly positive'"
SAME = "'These two movie reviews express the same sentiment: both are positive, or both are negative'"
OPPOSITE = "'These two movie reviews express opposite sentiments: one is positive, and the other is negative'"
LIKED = "'how much the reviewer liked the movie, from 1 (hated it) over 3 (neutral) to 5 (loved it)'"
PAIRS = (
    "SELECT r1.id, r1.reviewId, r2.reviewId FROM reviews r1 JOIN reviews r2 ON r1.id = r2.id "
    "AND r1.reviewId <> r2.reviewId AND {match} WHERE r1.id = 'ant_man_and_the_wasp_quantumania'"
)
QUERIES = {
    "Q1": f"SELECT reviewId FROM reviews WHERE ai_filter(reviewText, {POSITIVE}) LIMIT 5",
    "Q2": f"SELECT reviewId FROM reviews WHERE id = 'taken_3' AND ai_filter(reviewText, {POSITIVE}) LIMIT 5",
    "Q3": "SELECT count(*) AS positive_review_cnt FROM reviews "
    f"WHERE id = 'taken_3' AND ai_filter(reviewText, {POSITIVE})",
    "Q4": f"SELECT count(*) FILTER (WHERE ai_filter(reviewText, {POSITIVE})) / count(*) AS positivity_ratio "
    "FROM reviews WHERE id = 'taken_3'",
    "Q5": PAIRS.format(match=f"ai_match(r1.reviewText, r2.reviewText, {SAME})") + " LIMIT 10",
    "Q6": PAIRS.format(match=f"ai_match(r1.reviewText, r2.reviewText, {OPPOSITE})") + " LIMIT 10",
    "Q7": PAIRS.format(match=f"ai_match(r1.reviewText, r2.reviewText, {OPPOSITE}, accuracy := $accuracy)"),
    "Q8": f"SELECT CASE WHEN ai_filter(reviewText, {POSITIVE}) THEN 'POSITIVE' ELSE 'NEGATIVE' END AS scoreSentiment, "
    "count(*) FROM reviews WHERE id = 'taken_3' GROUP BY ALL",
    "Q9": f"SELECT reviewId, ai_score(reviewText, {LIKED}, low := 1, high := 5) AS reviewScore FROM reviews "
    "WHERE id = 'ant_man_and_the_wasp_quantumania'",
    "Q10": f"SELECT id, avg(ai_score(reviewText, {LIKED}, low := 1, high := 5)) AS movieScore FROM reviews GROUP BY id",
}
GOLD_PAIRS = (
    "SELECT r1.id, r1.reviewId, r2.reviewId FROM reviews r1 JOIN reviews r2 ON r1.id = r2.id AND r1.reviewId <> "
    "r2.reviewId WHERE r1.id = 'ant_man_and_the_wasp_quantumania' AND r1.scoreSentiment {sign} r2.scoreSentiment"
)


@dataclass
class Spent:
    """What came in at the service."""

    calls: int = 0
    read: int = 0
    written: int = 0

    @property
    def money(self) -> float:
        """In dollars."""
        return self.read * PRICE_READ + self.written * PRICE_WRITTEN


class GoldService:
    """Answers chat requests by the labels of the reviews."""

    def __init__(self, reviews: list[dict[str, str]]) -> None:
        self.spent = Spent()
        self._positive = {row["reviewText"]: row["scoreSentiment"] == "POSITIVE" for row in reviews}
        self._scores = {row["reviewText"]: _score(row) for row in reviews}

    async def chat(self, request: web.Request) -> web.Response:
        """Answer one request in OpenAI's form."""
        body = await request.json()
        texts = [message["content"] for message in body["messages"]]
        answer = self.answer(texts[0], texts[-1])
        read, written = round(sum(map(len, texts)) / CHARACTERS), max(1, round(len(answer) / CHARACTERS))
        self.spent.calls += 1
        self.spent.read += read
        self.spent.written += written
        choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        return web.json_response({"id": "gold", "object": "chat.completion", "choices": [choice], "usage": usage})

    def answer(self, task: str, given: str) -> str:
        """Return the answer that the labels give."""
        if "one label of each input" in task:
            same = [["positive", "positive"], ["negative", "negative"]]
            opposite = [["positive", "negative"], ["negative", "positive"]]
            meanings = {"positive": "the review is positive", "negative": "the review is negative"}
            return json.dumps({"labels": meanings, "pairs": same if "same sentiment" in given else opposite})
        if "JSON with left and right" in task:
            pair = json.loads(given)
            equal = self._positive[pair["left"]] == self._positive[pair["right"]]
            return "yes" if equal == ("same sentiment" in task) else "no"
        if "Choose the one label" in task:
            return "positive" if self._positive[given] else "negative"
        if "Rate it by" in task:
            return str(self._scores[given])
        return "yes" if self._positive[given] else "no"


def _score(row: dict[str, str]) -> float:
    """Return a review's score from 1 to 5; without one of its own what its sentiment says."""
    own, _, best = row["originalScore"].partition("/")
    try:
        return round(min(5.0, max(1.0, 1 + 4 * float(own) / float(best))), 1)
    except (ValueError, ZeroDivisionError):
        return 4.0 if row["scoreSentiment"] == "POSITIVE" else 2.0


@contextmanager
def running(service: GoldService) -> Iterator[str]:
    """Run the service in a thread; yield its address."""
    loop, runners = asyncio.new_event_loop(), list[web.AppRunner]()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> int:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", service.chat)
        runners.append(web.AppRunner(app))
        await runners[0].setup()
        site = web.TCPSite(runners[0], "127.0.0.1", 0)
        await site.start()
        return int(runners[0].addresses[0][1])

    port = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def run(name: str, service: GoldService, url: str, reviews: Path, accuracy: float) -> tuple[list[Any], str]:
    """Run one query with an empty call store; return its rows, and how right they are."""
    service.spent = Spent()
    with tempfile.TemporaryDirectory() as home:
        os.environ["QUACKLLM_HOME"] = home
        params = {"saas.base_url": url, "saas.api_key": "none", "saas.model": "gemini-2.5-flash"}
        quackllm.deploy("gemini", "openai", infer_params=params)
        with quackllm.connect(model="gemini") as connection:
            connection.execute(f"CREATE TABLE reviews AS FROM read_csv('{reviews}', all_varchar := true)")
            sql = QUERIES[name].replace("$accuracy", str(accuracy))
            rows = connection.execute(sql).fetchall()
            right = _quality(connection, name, rows)
        local_fleet().close()
        close_store(Path(home))
    return rows, right


def _quality(connection: quackllm.Connection, name: str, rows: list[Any]) -> str:
    """Return F1 of the pairs of Q7, and of the LIMIT queries how many rows are right."""
    if name in ("Q5", "Q6", "Q7"):
        gold = set(connection.execute(GOLD_PAIRS.format(sign="=" if name == "Q5" else "<>")).fetchall())
        found = set(rows)  # The data has each review of this movie twice.
        if name == "Q7":
            return f"{len(rows):,} rows, F1 {2 * len(gold & found) / (len(gold) + len(found)):.3f}"
        return f"{len(found & gold)} of {len(found)} right"
    return f"{len(rows)} rows" if len(rows) > 1 else "1 row"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("movie", type=Path, help="SemBench's folder files/movie")
    parser.add_argument("--query", choices=QUERIES, action="append")
    parser.add_argument("--accuracy", type=float, default=0.9, help="stated for Q7, with confidence 0.95")
    given = parser.parse_args()
    reviews = given.movie / "data" / "sf_2000" / "Reviews.csv"
    with reviews.open(encoding="utf-8", newline="") as file:
        service = GoldService(list(csv.DictReader(file)))
    stored = {
        system: json.loads((given.movie / "metrics" / RESULTS / f"{system}.json").read_text("utf-8"))
        for system in SYSTEMS
    }
    print("| query | calls | tokens | dollars | result | BigQuery | LOTUS | Palimpzest | ThalamusDB |")
    print("|---|---|---|---|---|---|---|---|---|")
    with running(service) as url:
        for name in given.query or QUERIES:
            _, right = run(name, service, url, reviews, given.accuracy)
            spent = service.spent
            others = [_money(stored[system].get(name, {})) for system in SYSTEMS]
            ours = (name, f"{spent.calls:,}", f"{spent.read + spent.written:,}", f"{spent.money:.5f}", right)
            print(f"| {' | '.join((*ours, *others))} |", flush=True)


def _money(result: dict[str, Any]) -> str:
    if result.get("status") != "success" or not result.get("token_usage"):
        return "-"
    return f"{result['money_cost']:.5f}"


if __name__ == "__main__":
    main()
