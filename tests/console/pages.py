"""Addresses of the console's screens, and readers of their responses."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.messages import get_messages
from django.urls import reverse

TASKS = "admin:tasks_task_changelist"
SCREENS = (
    "admin:index",
    TASKS,
    "admin:tasks_task_dead_letters",
    "admin:tasks_overview_now",
    "admin:tasks_overview_hour",
    "admin:tasks_batch_changelist",
    "admin:tasks_queue_changelist",
    "admin:tasks_worker_changelist",
    "admin:tasks_breaker_changelist",
    "admin:tasks_schedule_changelist",
    "admin:tasks_alert_changelist",
    "admin:tasks_alertrule_changelist",
)


def page(task: Any) -> str:
    """Return the address of a task's page."""
    return reverse("admin:tasks_task_change", args=[task.pk])


def button(task: Any, action: str) -> str:
    """Return the address to which a button of a task's page posts."""
    return reverse("admin:tasks_task_act", args=[task.pk, action])


def text(response: Any) -> str:
    """Return the text of a page with single spaces."""
    body = re.sub(r"(?s)<(script|style).*?</\1>", " ", response.content.decode())
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def message(response: Any) -> str:
    """Return the last flash message."""
    return str(list(get_messages(response.wsgi_request))[-1])
