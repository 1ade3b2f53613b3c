"""Invariants: what must hold of all stored rows, checked on the running system."""

from __future__ import annotations

from tasks.invariants.check import SETTLE_SECONDS, NotChecked, verify
from tasks.invariants.parts import FIRST
from tasks.invariants.report import Finding, Report
from tasks.invariants.rules import INVARIANTS, Invariant
from tasks.invariants.store import begin_turn, last_report, store_report

__all__ = [
    "FIRST",
    "INVARIANTS",
    "SETTLE_SECONDS",
    "Finding",
    "Invariant",
    "NotChecked",
    "Report",
    "begin_turn",
    "last_report",
    "store_report",
    "verify",
]
