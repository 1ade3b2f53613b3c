"""Where the console's screens are, and how its answers read."""

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
)


def page(task: Any) -> str:
    """Return the address of a task's page."""
    return reverse("admin:tasks_task_change", args=[task.pk])


def button(task: Any, verb: str) -> str:
    """Return the address that a button of a task's page posts to."""
    return reverse("admin:tasks_task_act", args=[task.pk, verb])


def text(response: Any) -> str:
    """Return a page's words, with one space between them."""
    body = re.sub(r"(?s)<(script|style).*?</\1>", " ", response.content.decode())
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def message(response: Any) -> str:
    """Return what the console says about the last action."""
    return str(list(get_messages(response.wsgi_request))[-1])
