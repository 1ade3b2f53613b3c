from __future__ import annotations

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """The kinds of task, one folder each; `kinds.py` is their table."""

    name = "analysis"
