"""Ways of asking a question with model calls from this process: by hand, through quackllm, and directly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import duckdb
import openai
import pyarrow as pa
from fixtures import KEY, StandIn
from quackllm.udf.text2sql.evaluation.datasets import open_database
from queries import Query, plain

import quackllm

PLAIN = "a plain UDF, one call a row"
POOL = "an Arrow UDF with a thread pool"
WITHOUT = "quackllm, without prefetch"
OURS = "quackllm"
DIRECT = "asyncio client, told what to ask"
BY_HAND = (
    "CREATE TEMP MACRO llm_result(response) AS response",
    "CREATE TEMP MACRO llm_param(given) AS given.instruction",
)
DATABASES = ("car_1", "concert_singer", "employee_hire_evaluation", "flight_2", "pets_1", "world_1")


class Contender:
    """Asks questions on connections to each of the databases."""

    def __init__(self, connections: dict[str, duckdb.DuckDBPyConnection]) -> None:
        self.connections = connections

    def warm_up(self) -> None:
        """Open what is opened by the first call."""
        for connection in self.connections.values():
            connection.execute("SELECT llm_result(judge('warm up'))").fetchall()

    def ask(self, query: Query) -> None:
        """Run the question's statement and read all its rows."""
        self.connections[query.database].execute(query.sql).fetchall()


@contextlib.contextmanager
def contenders(name: str, service: StandIn, concurrency: int) -> Iterator[Contender]:
    """Open the contender of that name; the databases are in memory in each."""
    if name == DIRECT:
        yield Direct(service, concurrency)
    elif name in (OURS, WITHOUT):
        yield Contender(_ours(service, concurrency, prefetch=name == OURS))
    else:
        with ThreadPoolExecutor(concurrency) as pool:
            yield Contender(_by_hand(service, pool if name == POOL else None))


def _ours(service: StandIn, concurrency: int, *, prefetch: bool) -> dict[str, duckdb.DuckDBPyConnection]:
    quackllm.deploy("judge", "openai", worker_concurrency=concurrency, infer_params=service.openai_params())
    connections: dict[str, duckdb.DuckDBPyConnection] = {}
    for database in DATABASES:
        connections[database] = connection = quackllm.connect()
        open_database(connection, database)
        if not prefetch:
            connection.execute("SET VARIABLE llm_prefetch = 'off'")
    connection.execute("SELECT llm_forget()").fetchall()
    return connections


def _by_hand(service: StandIn, pool: ThreadPoolExecutor | None) -> dict[str, duckdb.DuckDBPyConnection]:
    """What anybody writes: the vendor's synchronous client in a DuckDB function."""
    client = openai.OpenAI(base_url=service.openai_url, api_key=KEY, max_retries=0)

    def judge(prompt: str | None) -> str | None:
        if prompt is None:
            return None
        messages = [{"role": "user", "content": prompt}]
        reply = client.chat.completions.create(model="standin", messages=messages, temperature=0)
        return reply.choices[0].message.content

    def judge_many(prompts: pa.ChunkedArray) -> pa.Array:
        assert pool is not None
        return pa.array(pool.map(judge, prompts.to_pylist()), pa.string())

    connections = {}
    for database in DATABASES:
        connections[database] = connection = duckdb.connect()
        open_database(connection, database)
        if pool:
            connection.create_function("judge", judge_many, ["VARCHAR"], "VARCHAR", type="arrow")
        else:
            connection.create_function("judge", judge, ["VARCHAR"], "VARCHAR")
        for macro in BY_HAND:
            connection.execute(macro)
    return connections


class Direct(Contender):
    """The vendor's client under asyncio.gather, given each step's distinct requests: no call in vain."""

    def __init__(self, service: StandIn, concurrency: int) -> None:
        super().__init__({database: plain(database) for database in DATABASES})
        self.service, self.concurrency = service, concurrency
        self.loop = asyncio.new_event_loop()
        self.client = openai.AsyncOpenAI(base_url=service.openai_url, api_key=KEY, max_retries=0)

    def warm_up(self) -> None:
        """Open a connection to the service."""
        self.loop.run_until_complete(self.gathered(["warm up"]))

    def ask(self, query: Query) -> None:
        """Ask what each step needs, step after step."""
        for texts in query.requests(self.connections[query.database]):
            self.loop.run_until_complete(self.gathered(texts))

    async def gathered(self, texts: list[str]) -> None:
        """Ask all of them, so many at once."""
        slots = asyncio.Semaphore(self.concurrency)

        async def ask(text: str) -> None:
            async with slots:
                messages = [{"role": "user", "content": text}]
                await self.client.chat.completions.create(model="standin", messages=messages, temperature=0)

        await asyncio.gather(*(ask(text) for text in texts))
