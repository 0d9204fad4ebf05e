"""`quackllm` in a pseudo-terminal, and the screen that a person sees."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import pexpect
import pyte

SECONDS = 60.0
ENTER, CTRL_C, CTRL_D, TAB, UP = "\r", "\x03", "\x04", "\t", "\x1b[A"


class Terminal:
    """A command that is typed to.

    Args:
        words: the command line behind `quackllm`.
        prompt: what stands alone on the last line when the command waits for input.
    """

    def __init__(self, *words: str, prompt: str) -> None:
        self.screen = pyte.HistoryScreen(100, 200)
        self.screen.write_process_input = lambda text: self.process.send(text)  # Answers about the cursor's position.
        self._stream, self._prompt = pyte.Stream(self.screen), prompt
        argv = ["-m", "quackllm", *words]
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.process = pexpect.spawn(
            sys.executable, argv, encoding="utf-8", env=environment, dimensions=(200, 100), timeout=SECONDS
        )
        self.process.delaybeforesend = None
        self.wait_for_prompt()

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def type(self, text: str) -> None:
        self.process.send(text)

    def enter(self, text: str) -> str:
        """Type a text and Enter, and return all that is on the screen when the next prompt is there."""
        count = self._prompts()
        self.type(text + ENTER)
        return self._wait(lambda: self._prompts() > count and self.lines[-1] == self._prompt, text)

    def wait_for(self, text: str) -> str:
        return self._wait(lambda: any(text in line for line in self.lines), text)

    def wait_for_prompt(self) -> str:
        return self._wait(lambda: bool(self.lines) and self.lines[-1] == self._prompt, self._prompt)

    def wait_for_end(self) -> int | None:
        """Wait until the command has ended, and return its exit code."""
        self.process.expect(pexpect.EOF)
        self.process.close()
        return self.process.exitstatus

    def _prompts(self) -> int:
        return sum(line.startswith(self._prompt) for line in self.lines)

    def _wait(self, condition: Callable[[], bool], wanted: str) -> str:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{wanted!r} did not come:\n" + "\n".join(self.lines)
            try:
                self._stream.feed(self.process.read_nonblocking(65536, timeout=1))
            except pexpect.TIMEOUT:
                continue
        return "\n".join(self.lines)
