"""Limits: what runs and waits under each; operators create, change, pause and delete them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION, DELETION
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from tasks import formatting, limits, stats
from tasks.console import badges
from tasks.console.audit import record
from tasks.console.limit_form import LimitForm
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.console.queues import why_paused
from tasks.errors import InvalidInput, LimitGone
from tasks.filter_values import require_usable
from tasks.models import Limit, Scope
from tasks.models.task import parse_task_id
from tasks.postgres.text import storable
from tasks.stats import BLOCKED_LIMIT

LIST = "admin:tasks_limit_changelist"
PAGE = "admin/tasks/limit.html"
SHOWN = 500
VALUES = 50
PARTICIPLES = {"pause": "paused", "resume": "resumed"}


class LimitAdmin(EngineAdmin):
    """Limits: viewers see them; operators change them."""

    def get_urls(self) -> list[URLPattern]:
        """Add the route to pause or resume a limit."""
        view = self.admin_site.admin_view(self.switch)
        return [
            path("<anycase_uuid:object_id>/switch/", view, name="tasks_limit_switch"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """List the limits: those that hold tasks back come first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = _rows(list(Limit.objects.all()[:SHOWN]))
        rows.sort(key=lambda row: (not row["limit"].paused, not row["blocked"]))
        return self._page(
            request, "admin/tasks/limits.html", title="Limits", rows=rows, shown=SHOWN
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the form; then create the limit."""
        require_operator(request)
        form = LimitForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and _create(request, form):
            messages.success(
                request, "The limit was created. Tasks that wait come under it within seconds."
            )
            return redirect(LIST)
        return self._page(request, PAGE, title="New limit", form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one limit and the values that use it most; let an operator change it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        limit = _get(object_id)
        form = LimitForm(request.POST or None, limit=limit, read_only=not is_operator(request))
        if request.method == "POST":
            require_operator(request)
            if form.is_valid() and _change(request, form, limit):
                messages.success(request, f"{limit} was changed.")
                return redirect(LIST)
        (row,) = _rows([limit])
        return self._page(
            request, PAGE, title=row["title"], form=form, limit=limit, row=row,
            values=_values(limit),
        )  # fmt: skip

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Delete a limit after confirmation."""
        require_operator(request)
        limit = _get(object_id)
        if request.method != "POST":
            return self._page(
                request,
                "admin/tasks/limit_delete.html",
                title=f"Delete {limit}?",
                limit=limit,
                exceptions=limit.exceptions.count(),
            )
        with transaction.atomic():
            record(request.user, [limit], "Deleted.", flag=DELETION)
            limits.delete(limit)
        messages.success(request, f"{limit} was deleted.")
        return redirect(LIST)

    def switch(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Pause or resume a limit."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        require_usable(request.POST, names=("verb",))
        verb = request.POST.get("verb", "")
        if verb not in PARTICIPLES:
            raise Http404
        changes: limits.Changes = {"paused": verb == "pause"}
        if verb == "pause":
            reason = storable(request.POST.get("reason", ""))
            changes["paused_reason"] = reason[: limits.REASON_LENGTH]
        limit = _get(object_id)
        try:
            with transaction.atomic():
                limits.change(limit, operator=request.user.get_username(), **changes)
                record(request.user, [limit], f"{PARTICIPLES[verb].capitalize()}.")
        except LimitGone:
            raise Http404 from None
        messages.success(request, f"{limit} was {PARTICIPLES[verb]}.")
        return redirect(LIST)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        context |= {"operator": is_operator(request)}
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), **context}
        )


def _create(request: HttpRequest, form: LimitForm) -> bool:
    """Create a limit from the form; return False after adding errors to the form."""
    try:
        with transaction.atomic():
            limit = limits.create(
                **form.place(), **form.changes(), operator=request.user.get_username()
            )
            record(request.user, [limit], "Created.", flag=ADDITION)
    except InvalidInput as error:
        form.add_errors(error.errors)
        return False
    return True


def _change(request: HttpRequest, form: LimitForm, limit: Limit) -> bool:
    """Store the numbers; return False after adding errors to the form."""
    try:
        with transaction.atomic():
            changed = limits.change(limit, **form.changes())
            record(request.user, [limit], f"Changed: {numbers(changed)}.")
    except InvalidInput as error:
        form.add_errors(error.errors)
        return False
    except LimitGone:
        raise Http404 from None
    return True


def _get(object_id: Any) -> Limit:
    pk = parse_task_id(object_id)
    limit = Limit.objects.select_related("parent").filter(pk=pk).first() if pk else None
    if limit is None:
        raise Http404
    return limit


def _rows(rows: list[Limit]) -> list[dict[str, Any]]:
    usage = stats.limit_usage(rows)
    owners = _owners([limit.value for limit in rows if limit.scope == Scope.OWNER])
    return [
        {
            "limit": limit,
            "title": _title(limit, owners),
            "numbers": numbers(limit),
            "running": usage[limit.pk].running,
            "blocked": usage[limit.pk].blocked,
            "is_more": usage[limit.pk].blocked >= BLOCKED_LIMIT,
            "badge": _badge(limit),
            "why_paused": why_paused(limit) if limit.paused else "",
        }
        for limit in rows
    ]


def _values(limit: Limit) -> list[dict[str, Any]]:
    """Return the values that use a limit most, with the names of owners."""
    values = stats.busiest_values(limit, count=VALUES)
    owners = _owners([value.value for value in values]) if limit.scope == Scope.OWNER else {}
    return [
        {
            "name": owners.get(value.value, value.value) or formatting.DASH,
            "running": value.running,
            "is_full": value.is_full,
        }
        for value in values
    ]


def _owners(ids: list[str]) -> dict[str, str]:
    names = User.objects.filter(pk__in=[pk for pk in ids if pk]).values_list("pk", "username")
    return {str(pk): name for pk, name in names}


def _title(limit: Limit, owners: dict[str, str]) -> str:
    """Return for which tasks a limit is, as people read it."""
    match limit.scope:
        case Scope.QUEUE:
            return f"Queue {limit.name}"
        case Scope.KIND:
            return f"Kind {limit.name}"
        case Scope.OWNER:
            return f"Owner {owners.get(limit.value, limit.value)}" if limit.value else "Each owner"
    if limit.parent_id:
        return f"{limit.name} where {limit.path} is {limit.value}"
    return f"{limit.name} for each {limit.path}"


def numbers(limit: Limit) -> str:
    """Return a limit's numbers as people read them."""
    parts = []
    if limit.ordered:
        parts.append("one after another")
    elif limit.concurrent:
        parts.append(f"{limit.concurrent} at once")
    if limit.per_period:
        burst = f", {limit.burst} together" if limit.burst and limit.burst > 1 else ""
        parts.append(f"{limit.per_period}{burst}")
    if parts:
        return ", ".join(parts)
    return "as for all others" if limit.parent_id else "no bound"


def _badge(limit: Limit) -> Any:
    if limit.paused:
        return badges.badge("paused")
    return badges.badge("applies" if limit.applies_at else "starting")
