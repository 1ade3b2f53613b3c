"""Alerts: rules that are evaluated every few seconds, and messages when one becomes true."""

from __future__ import annotations

from tasks.alerts.evaluation import EVERY, evaluate_due
from tasks.alerts.incidents import acknowledge, prune
from tasks.alerts.rules import change, create, mute, remove, unmute

__all__ = [
    "EVERY",
    "acknowledge",
    "change",
    "create",
    "evaluate_due",
    "mute",
    "prune",
    "remove",
    "unmute",
]
