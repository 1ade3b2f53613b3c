from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class TasksConfig(AppConfig):
    """The engine; it depends on no kind but its own."""

    name = "tasks"
    verbose_name = "Work"

    def ready(self) -> None:
        """Register the engine's own kind and checks, and the kinds in every app's `kinds.py`."""
        import_module("tasks.callbacks.kind")
        import_module("tasks.checks")
        autodiscover_modules("kinds")
