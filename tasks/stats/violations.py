"""Violations: which invariants did not hold at the last check (`tasks/invariants/`)."""

from __future__ import annotations

from tasks.models import CachedCount

# The row in which the last report is stored.
REPORT = "invariants"


def violated_invariants() -> list[str]:
    """Return their names; none before the first check."""
    row = CachedCount.objects.filter(name=REPORT).first()
    return [] if row is None else [finding["invariant"] for finding in row.value["findings"]]
