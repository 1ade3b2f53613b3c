"""Structured logging: one line an event, JSON in production, coloured text for a person."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import structlog

from tasks.correlation import add_log_fields
from tasks.error_text import cleaned

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _clean(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Take out of every text what cannot be written, and the credentials of URLs."""
    return {
        name: cleaned(value) if isinstance(value, str) else value for name, value in event.items()
    }


class RefusalFilter(logging.Filter):
    """Log what Django refused as suspicious in one short line at WARNING, without a traceback.

    Clients cause these at will: a wrong Host costs them one header.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; return False if the level hides warnings."""
        if not record.name.startswith("django.security."):
            return True
        status = getattr(record, "status_code", 400)
        record.msg = f"request refused with {status}: {record.getMessage()[:200]}"
        record.args, record.exc_info = (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return logging.getLogger().isEnabledFor(logging.WARNING)


def line_formatter(*, json: bool) -> structlog.stdlib.ProcessorFormatter:
    """Return the formatter of every line; `server_log.json` names it for the web server's own."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        add_log_fields,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _clean,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_dumps)
        if json
        else structlog.dev.ConsoleRenderer()
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _dumps(event: Any, **kwargs: Any) -> str:
    return orjson.dumps(event, default=kwargs.get("default")).decode()


def logging_config(*, level: str, json: bool) -> dict[str, Any]:
    """Return Django's LOGGING with structlog's renderer on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": line_formatter, "json": json}},
        "filters": {"refusals": {"()": RefusalFilter}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["refusals"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # procrastinate prints job arguments at INFO; our own transitions are logged instead.
            "procrastinate": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
        },
    }
