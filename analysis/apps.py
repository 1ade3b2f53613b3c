from __future__ import annotations

from django.apps import AppConfig

from analysis.text import pause


class AnalysisConfig(AppConfig):
    """The kinds of task, one folder each; `kinds.py` is their table."""

    name = "analysis"

    def ready(self) -> None:
        """Refuse to start on a setting that no task could run with."""
        pause.configured()
