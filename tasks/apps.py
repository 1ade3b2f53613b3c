from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import module_has_submodule


class TasksConfig(AppConfig):
    """The engine; it depends on no kind but its own."""

    name = "tasks"
    verbose_name = "Work"

    def ready(self) -> None:
        """Register the engine's own kinds, checks and path converter, and every app's kinds."""
        import_module("tasks.callbacks.kind")
        import_module("tasks.alerts.kind")
        import_module("tasks.workflows.kind")
        import_module("tasks.checks")
        import_module("tasks.path_converters")
        for app in apps.get_app_configs():
            if module_has_submodule(app.module, "kinds"):
                _load_kinds(f"{app.name}.kinds")


def _load_kinds(module: str) -> None:
    where = f"The module {module} cannot be loaded; EXTRA_APPS names the apps of your own"
    try:
        import_module(module)
    except ImproperlyConfigured as error:
        raise ImproperlyConfigured(f"{where}: {error}") from error
    except Exception as error:
        error.add_note(f"{where}.")
        raise
