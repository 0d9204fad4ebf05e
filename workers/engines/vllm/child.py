"""What each process of vLLM's imports first, in place of the user's script (see `patched_child` in loading.py).

A script without `if __name__ == "__main__"` would otherwise run again in each of them. Ctrl-C is the statement's, not
theirs, and they end with the process that started them, whatever ends that: vLLM's own would keep the GPU's memory.
"""

from __future__ import annotations

import os
import signal
import threading
import time

LOOK_SECONDS = 1.0


def exit_with_parent(parent: int) -> None:
    """End this process soon after that parent has ended."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__mp_main__":
    # vLLM installs its own handlers later; blocked signals do not reach them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=exit_with_parent, args=(os.getppid(),), name="parent", daemon=True).start()
