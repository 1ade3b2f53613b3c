from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class TasksConfig(AppConfig):
    """The engine; it depends on no kind but its own."""

    name = "tasks"
    verbose_name = "Work"

    def ready(self) -> None:
        """Register the engine's own kind, checks and path converter, and every app's kinds."""
        import_module("tasks.callbacks.kind")
        import_module("tasks.checks")
        import_module("tasks.path_converters")
        autodiscover_modules("kinds")
