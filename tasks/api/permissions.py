"""Who may call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from tasks.access import may_operate

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
    """Admit operators."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller may use routes that change the work of others."""
        return may_operate(request.user)


class IsOperatorOrOpen(BasePermission):
    """Admit operators, and every caller of an API that needs no keys."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller may use a route that the documents call without a key."""
        if settings.API_ALLOW_ANONYMOUS:
            return MayUseApi().has_permission(request, view)
        return may_operate(request.user)


def is_operator(view: APIView) -> bool:
    """Return whether the caller of a view is an operator."""
    return may_operate(view.request.user)


def _changes_from_foreign_page(request: Request) -> bool:
    """Tell whether some web page makes its visitor's browser write to us.

    Without credentials there is no CSRF token to check, and a developer's API listens on localhost.
    """
    origin = request.headers.get("Sec-Fetch-Site", "none")
    return request.method not in SAFE_METHODS and origin not in ("none", "same-origin")
