from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from tasks.checks import SETTINGS


class ProjectConfig(AppConfig):
    """The project: its settings, its servers and the command that runs everything."""

    name = "taskproject"

    def ready(self) -> None:
        """Register the check of the settings' names."""
        register(_misspelt_settings, SETTINGS)


def _misspelt_settings(**kwargs: Any) -> list[CheckMessage]:
    """Warn of each name that resembles a setting but is not one."""
    return [Warning(sentence, id="taskproject.W001") for sentence in settings.MISSPELT_SETTINGS]
