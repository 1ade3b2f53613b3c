"""Reports: what a check of the invariants has found, in sentences."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.invariants.rules import Invariant

# A statement returns at most so many violations: more are counted as so many.
MOST = 10_000
EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An invariant that does not hold, for how many rows, and the ids of some of them."""

    invariant: Invariant
    count: int
    examples: Sequence[str]

    @property
    def headline(self) -> str:
        """Return what was found, and how many."""
        at_least = "at least " if self.count >= MOST else ""
        return f"{self.invariant.rows}: {at_least}{self.count:,}"

    @property
    def has_more(self) -> bool:
        return self.count > len(self.examples)

    @property
    def sentence(self) -> str:
        """Return how many there are, which, and what it means."""
        few = ", ".join(self.examples)
        more = ", …" if self.has_more else ""
        return f"{self.headline} ({few}{more}). {self.invariant.meaning}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of one check; `at` is when it began, by the database's clock."""

    at: dt.datetime
    # Spent on reading.
    seconds: float
    findings: Sequence[Finding] = ()
    # The names of the invariants that could not be checked, and why.
    unchecked: dict[str, str] = field(default_factory=dict)
    # The key after which the next check goes on.
    next_after: uuid.UUID

    @property
    def is_clean(self) -> bool:
        return not self.findings and not self.unchecked
