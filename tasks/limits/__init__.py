"""Limits: the verbs that create, change and delete them, and how tasks come under new ones."""

from __future__ import annotations

from tasks.limits.adoption import Adoption, are_starting
from tasks.limits.declared import declare
from tasks.limits.rules import REASON_LENGTH, Changes, change, create, delete

__all__ = [
    "REASON_LENGTH",
    "Adoption",
    "Changes",
    "are_starting",
    "change",
    "create",
    "declare",
    "delete",
]
