"""The IPython extension: chat, SQL and questions to a database in the cells of a notebook.

    %load_ext quackllm.notebooks

    %quackllm shop.duckdb --model qianwen_chat     which database and default model; alone: what is there
    %chat Why is the sky blue?                     shows the answer as it arrives
    %%chat --temperature 0.8 --output q1           the cell is the question; q1 is a table and a variable
    %%chat --input q1 --output q2                  continues q1
    %sql FROM llm_models()                         SQL on the same connection
    %%sql --output df                              a script; the last result as a DataFrame
    %%text2sql                                     a question about the database: SQL, rows, a chart, a cell to edit
    %ask How many singers are there?               the same without the cell to edit
    --%chat                                        Byzer's cells run as they are

Each has help: %chat? %sql? %text2sql?

**The connection** is the `quackllm.Connection` among the notebook's variables. If there is none, the first magic that
needs one opens it in memory, as the variable `connection`. If there are several, `%quackllm --connection NAME` selects
one. It is looked up by its variable's name each time: assign another connection to the variable to change it.

**Errors** are shown as one panel, and stop the cells behind. `%quackllm --debug on` shows tracebacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add the magics to IPython; called by `%load_ext quackllm.notebooks`."""
    from .extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove the magics; called by `%unload_ext quackllm.notebooks`."""
    from .extension import unload

    unload(shell)
