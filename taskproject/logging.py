"""Structured logging: one line an event, JSON in production, coloured text for a person."""

from __future__ import annotations

from typing import Any

import orjson
import structlog

from tasks.error_text import cleaned

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _clean(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Take out of every text what cannot be written, and the credentials of URLs."""
    return {
        name: cleaned(value) if isinstance(value, str) else value for name, value in event.items()
    }


def _dumps(event: Any, **kwargs: Any) -> str:
    return orjson.dumps(event, default=kwargs.get("default")).decode()


def logging_config(*, level: str, json: bool) -> dict[str, Any]:
    """Return Django's LOGGING with structlog's renderer on standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _clean,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_dumps)
        if json
        else structlog.dev.ConsoleRenderer()
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # procrastinate prints job arguments at INFO; our own transitions are logged instead.
            "procrastinate": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
        },
    }
