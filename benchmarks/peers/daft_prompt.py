"""The questions through Daft's `prompt`, on its own runner: the native part is done before, in DuckDB.

Configured as docs/ai-functions/prompt.md and providers.md of github.com/Eventual-Inc/Daft advise: an OpenAIProvider
for the address, `use_chat_completions`; batches and parallel requests are Daft's own affair.
"""

from __future__ import annotations

import daft
import job
from daft import col, lit
from daft.ai.openai.provider import OpenAIProvider
from daft.functions import prompt


def main() -> None:
    """Run the job on standard input."""
    given = job.read()
    provider = OpenAIProvider(name="standin", base_url=given["url"], api_key=given["key"])

    def ask(question: job.Question) -> int:
        frame = daft.from_pydict(question["rows"]).into_batches(given["concurrency"])
        for step in question["steps"]:
            text = lit(f"{step['question']} ‹") + col(step["on"]) + lit("›")
            answer = prompt(text, provider=provider, model="standin", use_chat_completions=True, temperature=0)
            frame = frame.with_column(step["into"] or "answer", answer)
            if step["filters"]:
                frame = frame.where(col("answer") == "True")
        return len(frame.collect())

    job.measure(given, ask)


if __name__ == "__main__":
    main()
