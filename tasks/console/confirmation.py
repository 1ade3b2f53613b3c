"""Confirmation of deletions: the page carries what was selected, in a form of bounded size.

A selection of all that matches is carried by its filters, which are in the address, and by the time
at which the page was shown: what appeared or changed since is not deleted unseen.
"""

from __future__ import annotations

import datetime as dt

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.db.models import Q
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from tasks import rfc3339, sql
from tasks.console import badges
from tasks.console.permissions import EngineAdmin
from tasks.models.task import TaskQuerySet

# Tasks listed on the page.
LISTED = 20


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether the request comes from a page that asked to confirm."""
    return "confirmed" in request.POST


def confirm_one(
    admin: EngineAdmin, request: HttpRequest, selection: TaskQuerySet
) -> TemplateResponse:
    """Ask to confirm the deletion of one task."""
    return _ask(admin, request, selection, fields=[])


def confirm_selection(
    admin: EngineAdmin, request: HttpRequest, selection: TaskQuerySet
) -> TemplateResponse:
    """Ask to confirm the deletion of the tasks that are selected in the list."""
    fields = [("action", request.POST["action"])]
    if _selects_all(request):
        now = sql.database_now()
        # Django runs no action without an id, even on all that matches.
        first = (ACTION_CHECKBOX_NAME, request.POST[ACTION_CHECKBOX_NAME])
        fields += [first, ("select_across", "1"), ("shown_at", now.isoformat())]
    else:
        # At most those that the request named, which fitted into a form.
        ids = selection.values_list("pk", flat=True)
        fields += [(ACTION_CHECKBOX_NAME, str(pk)) for pk in ids]
    return _ask(admin, request, selection, fields=fields)


def confirmed_selection(request: HttpRequest, selection: TaskQuerySet) -> TaskQuerySet:
    """Return the tasks whose deletion was confirmed; raise BadRequest."""
    if not _selects_all(request):
        return selection
    shown_at = page_shown_at(request)
    for time in ("started_at", "finished_at"):
        unchanged = Q((f"{time}__isnull", True)) | Q((f"{time}__lte", shown_at))
        selection = selection.filter(unchanged)
    return selection.filter(created_at__lte=shown_at)


def page_shown_at(request: HttpRequest) -> dt.datetime:
    """Return when the page that asked was shown, by the database's clock; raise BadRequest.

    A request that names no time was not made by that page and is taken as of now.
    """
    if "shown_at" not in request.POST:
        return sql.database_now()
    try:
        return rfc3339.parse(request.POST["shown_at"])
    except rfc3339.InvalidDateTime as error:
        raise BadRequest(str(error)) from None


def _selects_all(request: HttpRequest) -> bool:
    return request.POST.get("select_across") == "1"


def _ask(
    admin: EngineAdmin,
    request: HttpRequest,
    selection: TaskQuerySet,
    *,
    fields: list[tuple[str, str]],
) -> TemplateResponse:
    context = {
        **admin.admin_site.each_context(request),
        "title": "Delete tasks",
        "listed": [(task, badges.status_badge(task)) for task in selection[:LISTED]],
        "count": selection.count(),
        "fields": fields,
        "selects_all": _selects_all(request),
        "back": reverse("admin:tasks_task_changelist"),
    }
    return TemplateResponse(request, "admin/tasks/confirm_delete.html", context)
