from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class TasksConfig(AppConfig):
    """The engine: knows no kind."""

    name = "tasks"
    verbose_name = "Work"

    def ready(self) -> None:
        """Import every installed app's `kinds.py`, which registers its kinds."""
        autodiscover_modules("kinds")
