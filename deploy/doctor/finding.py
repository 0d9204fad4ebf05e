"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        subject: what it is about, in a word or two.
        state: 'ok'; 'warning': it may be meant so; 'broken': something cannot work like this.
        message: what was found.
        type: what to type.
    """

    subject: str
    state: State
    message: str
    type: str = ""
