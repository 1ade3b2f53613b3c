"""Planner: settings for statements that read few rows of tables that may hold millions."""

from __future__ import annotations

from django.db import connection

# Planned once for all runs, and row by row through an index. The statistics of a queue are often
# those of another hour; a plan by cost would then read, hash or sort all that waits.
PLANNER = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Older servers make a plan that uses what is off seem costly enough to be compiled.
    "jit": "off",
}
_SET = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', true)" for name, value in PLANNER.items()
)


def plan_row_by_row() -> None:
    """Plan so in the rest of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_SET)
