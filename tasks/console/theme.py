"""Settings of django-unfold: the console's appearance and menu.

Imported by the settings, so nothing here may need the app registry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

# Dotted names, because models cannot be imported yet.
VIEWERS, OPERATORS = "tasks.console.permissions.is_viewer", "tasks.console.permissions.is_operator"
Item = dict[str, Any]
Permission = str | Callable[[HttpRequest], bool]
DEAD_LETTER_SCREENS = ("tasks_task_dead_letters", "tasks_task_act_on_group")


def _item(title: str, icon: str, route: str, shown_to: Permission | None = None) -> Item:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{route}"),
        "permission": shown_to,
    }


def _requires(permission: str) -> Permission:
    return lambda request: bool(request.user.has_perm(permission))


def _is_task_screen(request: HttpRequest) -> bool:
    name = (request.resolver_match and request.resolver_match.url_name) or ""
    return name.startswith("tasks_task_") and name not in DEAD_LETTER_SCREENS


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Tasks",
    "SITE_HEADER": "Tasks",
    "SITE_SUBHEADER": "Operations console",
    "SITE_SYMBOL": "dynamic_feed",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "tasks.console.overview.dashboard",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("console/icon.svg"),
        },
    ],
    "STYLES": [lambda request: static("console/console.css")],
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.6)",
            "100": "oklch(93.2% .032 255.6)",
            "200": "oklch(88.2% .059 254.1)",
            "300": "oklch(80.9% .105 251.8)",
            "400": "oklch(70.7% .165 254.6)",
            "500": "oklch(62.3% .214 259.8)",
            "600": "oklch(54.6% .245 262.9)",
            "700": "oklch(48.8% .243 264.4)",
            "800": "oklch(42.4% .199 265.6)",
            "900": "oklch(37.9% .146 265.5)",
            "950": "oklch(28.2% .091 267.9)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Work",
                "items": [
                    _item("Overview", "monitoring", "index"),
                    {
                        **_item("Tasks", "list_alt", "tasks_task_changelist", VIEWERS),
                        "active": _is_task_screen,
                    },
                    _item("Dead letters", "mail_off", "tasks_task_dead_letters", VIEWERS),
                    _item("Batches", "stacks", "tasks_batch_changelist", VIEWERS),
                    _item("Queues", "low_priority", "tasks_queue_changelist", VIEWERS),
                    _item("Limits", "speed", "tasks_limit_changelist", VIEWERS),
                    _item("Schedules", "schedule", "tasks_schedule_changelist", VIEWERS),
                    _item("Workers", "memory", "tasks_worker_changelist", VIEWERS),
                    _item("Circuit breakers", "electric_bolt", "tasks_breaker_changelist", VIEWERS),
                    _item("Alerts", "notifications", "tasks_alert_changelist", VIEWERS),
                    _item("Alert rules", "rule", "tasks_alertrule_changelist", VIEWERS),
                ],
            },
            {
                "title": "Access",
                "separator": True,
                "items": [
                    _item("API keys", "key", "knox_authtoken_changelist", OPERATORS),
                    _item("Users", "person", "auth_user_changelist", _requires("auth.view_user")),
                    _item("Groups", "group", "auth_group_changelist", _requires("auth.view_group")),
                    _item(
                        "Audit log",
                        "history",
                        "admin_logentry_changelist",
                        _requires("admin.view_logentry"),
                    ),
                ],
            },
        ],
    },
}
