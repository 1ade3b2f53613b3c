"""Workflows: the engine's own kind, and how Python code describes tasks in an order."""

from __future__ import annotations

from tasks.workflows.steps import Step, chain, chord, group, step, workflow

__all__ = ["Step", "chain", "chord", "group", "step", "workflow"]
