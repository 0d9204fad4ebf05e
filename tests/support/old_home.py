"""A QUACKLLM_HOME as an earlier commit wrote it, and the statements that must make no call in it.

`python old_home.py FOLDER ROWS`, with an earlier commit's checkout on PYTHONPATH, fills the folder. Run again with this
one's, it makes no call: it prints how many calls were recorded before and after. `home_d85c759` beside this file was
made so with 40 rows, its call store written as SQL text by `python old_home.py --dump FOLDER`.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

CONVERSATION = "CREATE TABLE IF NOT EXISTS q1 AS SELECT unnest(qianwen_chat('Who am I?'))"
SETTINGS = "llm_progress: 'off'\nstore_max_bytes: 4000000000\n"


def statements(rows: int) -> list[str]:
    """Return statements that ask chats with options and draws, embeddings, and a conversation's second turn."""
    rest = rows // 4
    return [
        f"SELECT llm_result(qianwen_chat('a review, número ' || i || ' “of” many')) FROM range({rows - 3 * rest}) t(i)",
        "SELECT llm_result(qianwen_chat(llm_param({'instruction': 'row ' || i, 'temperature': 0.5, 'draw': i % 3}))) "
        f"FROM range({rest}) t(i)",
        f"SELECT llm_embed('qianwen_chat', 'text ' || i) FROM range({rest}) t(i)",
        f"SELECT llm_result(qianwen_chat(llm_stack(q1, 'and ' || i))) FROM q1, range({rest}) t(i)",
    ]


def run(connection: Any, rows: int) -> list[list[Any]]:
    """Make the conversation's first turn, unless it is there, run the statements, and return their rows."""
    connection.execute(CONVERSATION)
    return [connection.execute(sql).fetchall() for sql in statements(rows)]


def calls_recorded(folder: Path) -> int:
    """Return how many calls the store in the folder has seen."""
    with sqlite3.connect(folder / "calls.sqlite") as store:
        return int(store.execute("SELECT count(*) FROM calls").fetchone()[0])


def main(folder: Path, rows: int) -> None:
    """Fill the folder, or show that what is in it is known."""
    os.environ["QUACKLLM_HOME"] = str(folder)
    import quackllm

    before = calls_recorded(folder) if (folder / "calls.sqlite").exists() else 0
    if not before:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.yaml").write_text(SETTINGS)
        quackllm.deploy("qianwen_chat", "echo")
    run(quackllm.connect(str(folder / "talk.duckdb")), rows)
    print(f"{before} calls recorded before, {calls_recorded(folder)} after")


if __name__ == "__main__":
    if sys.argv[1] == "--dump":
        print("\n".join(sqlite3.connect(Path(sys.argv[2]) / "calls.sqlite").iterdump()))
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]))
