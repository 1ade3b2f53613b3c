"""Findings: what an evaluation of a rule has found to be true."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A subject for which a condition may be true, its value, and a sentence for people."""

    subject: str
    value: float
    sentence: str
