"""The table of kinds: what each is called, where it waits, how long it may run."""

from __future__ import annotations

from analysis.text import handler as text
from tasks.kinds import kind

kind(
    "text.analyze",
    input=text.INPUT,
    queue="default",
    soft_time_limit=120,
    time_limit=120,
    batchable=True,
)(text.handle)
