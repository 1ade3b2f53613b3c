"""Rules of alerts: what is watched, whom it notifies, and for how long it is muted."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION, DELETION
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from tasks import alerts, formatting
from tasks.alerts.conditions import DEFINITIONS
from tasks.console import badges
from tasks.console.alert_rule_form import AlertRuleForm
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator
from tasks.errors import AlertGone, InvalidInput
from tasks.filter_values import require_usable
from tasks.models import AlertRule, Condition
from tasks.models.task import parse_task_id

LIST = "admin:tasks_alertrule_changelist"
PAGE = "admin/tasks/alert_rule.html"
SHOWN = 500
MUTES = {
    "3600": ("1 hour", dt.timedelta(hours=1)),
    "28800": ("8 hours", dt.timedelta(hours=8)),
    "604800": ("7 days", dt.timedelta(days=7)),
}


class AlertRuleAdmin(EngineAdmin):
    """Rules: viewers see them; operators create, change, mute and delete them."""

    def get_urls(self) -> list[URLPattern]:
        """Add the route to mute and unmute a rule."""
        view = self.admin_site.admin_view(self.mute)
        return [
            path("<anycase_uuid:object_id>/mute/", view, name="tasks_alertrule_mute"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """List the rules by name."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        is_open = Q(alert__closed_at=None, alert__opened_at__isnull=False)
        rules = AlertRule.objects.annotate(open=Count("alert", filter=is_open)).order_by("name")
        return self._page(
            request,
            "admin/tasks/alert_rules.html",
            title="Alert rules",
            rows=[_row(rule) for rule in rules[:SHOWN]],
            shown=SHOWN,
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the form; then create the rule."""
        require_operator(request)
        form = AlertRuleForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and (rule := _create(request, form)):
            messages.success(request, f"{rule} was created.")
            return redirect(LIST)
        return self._page(request, PAGE, title="New alert rule", form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one rule; let an operator change it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rule = _get(object_id)
        operator = is_operator(request)
        form = AlertRuleForm(request.POST or None, rule=rule, read_only=not operator)
        if request.method == "POST":
            require_operator(request)
            if form.is_valid() and _change(request, form, rule):
                messages.success(request, f"{rule} was changed.")
                return redirect(LIST)
        return self._page(
            request,
            PAGE,
            title=rule.name,
            form=form,
            rule=rule,
            row=_row(rule),
            mutes=[(seconds, label) for seconds, (label, _) in MUTES.items()],
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Delete a rule after confirmation."""
        require_operator(request)
        rule = _get(object_id)
        if request.method != "POST":
            return self._page(
                request,
                "admin/tasks/alert_rule_delete.html",
                title=f"Delete {rule}?",
                rule=rule,
            )
        with transaction.atomic():
            record(request.user, [rule], "Deleted.", flag=DELETION)
            _remove(rule)
        messages.success(request, f"{rule} was deleted.")
        return redirect(LIST)

    def mute(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Mute a rule for one of the offered times, or unmute it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        require_usable(request.POST, names=("seconds",))
        seconds = request.POST.get("seconds", "")
        if seconds not in {*MUTES, "0"}:
            raise Http404
        rule = _get(object_id)
        try:
            with transaction.atomic():
                messages.success(request, _mute(request, rule, seconds))
        except AlertGone:
            raise Http404 from None
        return redirect("admin:tasks_alertrule_change", rule.pk)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        context |= {"operator": is_operator(request)}
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), **context}
        )


def _create(request: HttpRequest, form: AlertRuleForm) -> AlertRule | None:
    """Create a rule from the form; return None after adding errors to the form."""
    try:
        with transaction.atomic():
            rule = alerts.create(**form.values())
            record(request.user, [rule], "Created.", flag=ADDITION)
    except InvalidInput as error:
        form.add_errors(error.errors)
        return None
    return rule


def _change(request: HttpRequest, form: AlertRuleForm, rule: AlertRule) -> bool:
    """Store the changed fields; return False after adding errors to the form."""
    stored = vars(rule)
    changes = {name: value for name, value in form.values().items() if value != stored[name]}
    try:
        with transaction.atomic():
            alerts.change(rule, **changes)  # type: ignore[arg-type]
            record(request.user, [rule], f"Changed: {', '.join(changes) or 'nothing'}.")
    except InvalidInput as error:
        form.add_errors(error.errors)
        return False
    except AlertGone:
        raise Http404 from None
    return True


def _mute(request: HttpRequest, rule: AlertRule, seconds: str) -> str:
    if seconds == "0":
        record(request.user, [alerts.unmute(rule)], "Unmuted.")
        return f"{rule} is not muted."
    label, length = MUTES[seconds]
    record(request.user, [alerts.mute(rule, until=timezone.now() + length)], f"Muted: {label}.")
    return f"{rule} is muted for {label}."


def _remove(rule: AlertRule) -> None:
    try:
        alerts.remove(rule)
    except AlertGone:
        raise Http404 from None


def _get(object_id: Any) -> AlertRule:
    pk = parse_task_id(object_id)
    rule = AlertRule.objects.filter(pk=pk).first() if pk else None
    if rule is None:
        raise Http404
    return rule


def _row(rule: AlertRule) -> dict[str, Any]:
    muted = rule.is_muted(timezone.now())
    definition = DEFINITIONS[rule.condition]
    limits = [rule.queue and f"queue {rule.queue}", rule.kind and f"kind {rule.kind}"]
    limits.append(rule.error_type)
    threshold = "" if rule.threshold is None else f"{rule.threshold:,.10g} {definition.unit}"
    return {
        "rule": rule,
        "badge": badges.badge("enabled" if rule.enabled else "disabled"),
        "muted": formatting.relative_time(rule.muted_until) if muted else "",
        "muted_badge": badges.badge("muted") if muted else "",
        "condition": Condition(rule.condition).label,
        "limits": ", ".join(filter(None, [threshold, *limits])),
        "hold": formatting.duration(rule.for_seconds) if rule.for_seconds else "",
        "evaluated": formatting.relative_time(rule.evaluated_at),
        "receivers": len(rule.emails) + bool(rule.webhook_url),
    }
