"""Access rules: who may operate, who may see every row, and which rows a user sees.

The API, the console, the pages and the webhooks all use these rules. An inactive user may do
nothing. A superuser has every permission but must be staff as well: the console admits only staff,
and all interfaces must give the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

Caller = AbstractBaseUser | AnonymousUser | None

VIEW = "tasks.view_task"
OPERATE = "tasks.operate_task"
_OF_PROXIES = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)
# The id of no user: identity columns count from 1.
NO_USER = 0


def may_enter(user: Caller, meta: Mapping[str, Any]) -> bool:
    """Return whether the caller of a request with this `META` may use the API and the pages."""
    return isinstance(user, User) or needs_no_key(meta)


def needs_no_key(meta: Mapping[str, Any]) -> bool:
    """Return whether a request may be anonymous.

    All may be if API_ALLOW_ANONYMOUS is set. Without it only those that come from this machine
    itself, on an installation that is for this machine alone: behind a proxy everybody would.
    """
    if settings.API_ALLOW_ANONYMOUS:
        return True
    return settings.API_OPEN_TO_THIS_MACHINE and not is_forwarded(meta)


def is_forwarded(meta: Mapping[str, Any]) -> bool:
    """Return whether a proxy has passed a request on, as far as it shows."""
    # nginx adds no header unless it is set up to, but speaks HTTP/1.0 to what is behind it.
    is_old = meta.get("SERVER_PROTOCOL") in ("HTTP/1.0", "HTTP/1")
    return is_old or any(name in meta for name in _OF_PROXIES)


def may_see_all(user: Caller) -> bool:
    """Return whether a user sees every row: active staff with the permission to view tasks."""
    return isinstance(user, User) and user.is_active and user.is_staff and user.has_perm(VIEW)


def may_operate(user: Caller) -> bool:
    """Return whether a user may change every row, queue and schedule, and reply on platforms.

    The permission to operate tasks counts only for a user who may see them all.
    """
    return isinstance(user, User) and may_see_all(user) and user.has_perm(OPERATE)


def may_change(user: Caller, *, owner_id: int | None) -> bool:
    """Return whether a user may change an owner's row: it is their own, or they may operate."""
    _, own_id = visible_scope(user)
    return owner_id == own_id or may_operate(user)


def visible_scope(user: Caller) -> tuple[bool, int | None]:
    """Return whether a user sees every row, and the owner whose rows they see otherwise.

    A user sees their own rows. An anonymous caller sees the rows without an owner, for which the
    owner is None; where callers need a key, anonymous ones are refused before.
    """
    if not isinstance(user, User):
        return False, None
    return may_see_all(user), user.pk if user.is_active else NO_USER
