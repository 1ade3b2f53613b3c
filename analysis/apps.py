from __future__ import annotations

from django.apps import AppConfig

from analysis.text import pause


class AnalysisConfig(AppConfig):
    """The kinds of task, one folder each; `kinds.py` is their table."""

    name = "analysis"

    def ready(self) -> None:
        """Check the setting of the simulated delay; raise ImproperlyConfigured."""
        pause.configured()
