"""Who may call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    # DRF imports the default permissions while it makes this class.
    from rest_framework.views import APIView


class MayUseApi(BasePermission):
    """Let in who has a key or a session, and anybody where API_ALLOW_ANONYMOUS says so."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the caller may use the API at all."""
        if request.user.is_authenticated:
            return True
        return settings.API_ALLOW_ANONYMOUS and not _changes_from_foreign_page(request)


class IsOperator(BasePermission):
    """Let in superusers, and staff with the permission to operate tasks."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the caller may use routes that touch everybody's work."""
        user = request.user
        return user.is_superuser or (user.is_staff and user.has_perm("tasks.operate_task"))


class IsOperatorWhereKeysAreNeeded(IsOperator):
    """Let in operators, and where there is no need of keys whoever may use the API."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the caller may use a route that the documents call without a key."""
        if settings.API_ALLOW_ANONYMOUS:
            return MayUseApi().has_permission(request, view)
        return super().has_permission(request, view)


def _changes_from_foreign_page(request: Request) -> bool:
    """Tell whether some web page makes its visitor's browser write to us.

    Without credentials there is no CSRF token to check, and a developer's API listens on localhost.
    """
    origin = request.headers.get("Sec-Fetch-Site", "none")
    return request.method not in SAFE_METHODS and origin not in ("none", "same-origin")
