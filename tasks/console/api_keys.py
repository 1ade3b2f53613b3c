"""API keys: created, shown exactly once, revoked. Only a digest is stored."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, DELETION
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from knox.models import AuthToken
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from tasks import formatting
from tasks.console.audit import record
from tasks.console.permissions import EngineAdmin, is_operator, require_operator

LIST = "admin:knox_authtoken_changelist"
LONGEST_DAYS = 3650
SHOWN = 500


class KeyForm(forms.Form):
    """The user of a new key and its lifetime."""

    user = forms.CharField(max_length=150, label="Username", widget=UnfoldAdminTextInputWidget)
    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LONGEST_DAYS,
        label="Lifetime in days",
        help_text="Leave empty for a key that does not expire.",
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def clean_user(self) -> User:
        """Return the active user with this name."""
        name = self.cleaned_data["user"]
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None:
            raise forms.ValidationError("There is no active user with this name.")
        return user


class ApiKeyAdmin(EngineAdmin):
    """API keys: operators manage their own, superusers those of all users."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this user may create keys."""
        return is_operator(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuthToken]:
        """Fetch the keys that this user may revoke."""
        keys = AuthToken.objects.select_related("user")
        return keys if request.user.is_superuser else keys.filter(user=request.user)

    def get_urls(self) -> list[URLPattern]:
        """Add the routes to create and revoke a key."""
        site = self.admin_site.admin_view
        return [
            path("new/", site(self.create), name="knox_authtoken_new"),
            path("<str:digest>/revoke/", site(self.revoke), name="knox_authtoken_revoke"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """Show the keys, newest first."""
        require_operator(request)
        context = {
            **self.admin_site.each_context(request),
            "title": "API keys",
            "keys": [
                (
                    key,
                    formatting.relative_time(key.created),
                    formatting.relative_time(key.expiry) if key.expiry else "never",
                )
                for key in self.get_queryset(request).order_by("-created")[:SHOWN]
            ],
            "shown": SHOWN,
        }
        return TemplateResponse(request, "admin/tasks/api_keys.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Return 404: the list shows everything about a key."""
        raise Http404

    def create(self, request: HttpRequest) -> HttpResponse:
        """Show the form; then create the key and show it in this response only."""
        require_operator(request)
        form = KeyForm(request.POST or None, initial={"user": request.user.get_username()})
        secret = None
        if request.method == "POST" and form.is_valid():
            secret = _create(request, form.cleaned_data["user"], form.cleaned_data["days"])
        context = {
            **self.admin_site.each_context(request),
            "title": "New API key",
            "form": form,
            "secret": secret,
        }
        return TemplateResponse(request, "admin/tasks/api_key.html", context)

    def revoke(self, request: HttpRequest, digest: str) -> HttpResponse:
        """Delete a key; it stops working immediately."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require_operator(request)
        with transaction.atomic():
            key = get_object_or_404(self.get_queryset(request), pk=digest)
            record(request.user, [key], "Revoked.", flag=DELETION, name=_name(key))
            key.delete()
        messages.success(request, f"{_name(key)} was revoked.")
        return redirect(LIST)


def _create(request: HttpRequest, user: User, days: int | None) -> str:
    if user != request.user and not request.user.is_superuser:
        raise PermissionDenied("Only superusers may create API keys for other users.")
    with transaction.atomic():
        expiry = dt.timedelta(days=days) if days else None
        key, secret = AuthToken.objects.create(user=user, expiry=expiry)
        record(request.user, [key], "Created.", flag=ADDITION, name=_name(key))
    return str(secret)


def _name(key: AuthToken) -> str:
    return f"API key {key.token_key}… of {key.user}"
