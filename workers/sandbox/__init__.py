"""A sandbox: functions of ours that run in warm child processes, each call within a real limit of memory and time.

What a stranger's SQL makes DuckDB compute, constants while it binds included, is computed there. A child that goes
past its limits is ended and replaced; the process that asks neither grows nor waits.
"""

from .child_process import call_parent, interruptible
from .pool import Cancellation, Sandbox, SandboxLimits

__all__ = ["Cancellation", "Sandbox", "SandboxLimits", "call_parent", "interruptible"]
