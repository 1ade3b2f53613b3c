"""The rows that kinds keep beyond their tasks' results."""

from __future__ import annotations

from analysis.models.vector import Vector

__all__ = ["Vector"]
