"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Args:
        subject: what was checked, in a word or two.
        state: 'ok'; 'warning': it may be intended; 'broken': something cannot work like this.
        message: what was found.
        fix: what to type.
    """

    subject: str
    state: State
    message: str
    fix: str = ""

    def fields(self) -> dict[str, str]:
        """Return the finding as JSON has it."""
        return {"subject": self.subject, "state": self.state, "message": self.message, "type": self.fix}
