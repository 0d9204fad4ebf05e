"""The questions through LOTUS's sem_filter and sem_map: the native part is done before, in DuckDB.

Configured as docs/llm.rst and docs/configurations.rst of github.com/lotus-data/lotus advise: `max_batch_size` for the
requests at once, and the cache on ("It is recommended to enable caching"), in an empty folder.
"""

from __future__ import annotations

import job
import lotus
import pandas as pd
from lotus.cache import CacheConfig, CacheFactory, CacheType
from lotus.models import LM


def main() -> None:
    """Run the job on standard input."""
    given = job.read()
    kept = CacheConfig(cache_type=CacheType.SQLITE, max_size=100_000, cache_dir=given["cache"])
    model = LM(
        model="openai/standin",
        api_base=given["url"],
        api_key=given["key"],
        max_batch_size=given["concurrency"],
        cache=CacheFactory.create_cache(kept),
    )
    lotus.settings.configure(lm=model, enable_cache=True)
    job.measure(given, ask)


def ask(question: job.Question) -> int:
    """Run one question's steps over its rows."""
    frame = pd.DataFrame({name: [f"‹{text}›" for text in texts] for name, texts in question["rows"].items()})
    for step in question["steps"]:
        instruction = f"{step['question']} {{{step['on']}}}"
        if frame.empty:
            break
        frame = frame.sem_filter(instruction) if step["filters"] else frame.sem_map(instruction, suffix="answer")
        if step["into"]:
            frame[step["into"]] = "‹" + frame.pop("answer") + "›"
    return len(frame)


if __name__ == "__main__":
    main()
