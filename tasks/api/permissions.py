"""Permissions of API callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from tasks.access import may_enter, may_operate, needs_no_key

if TYPE_CHECKING:
    # DRF imports the default permissions while it defines this class.
    from rest_framework.views import APIView


class MayUseApi(BasePermission):
    """Admit callers with a key or a session, and others where no key is needed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller may use the API at all; raise NotAuthenticated for a page."""
        if not may_enter(request.user, request.META):
            return False
        if not request.user.is_authenticated and _changes_from_foreign_page(request):
            origin = request.headers.get("Origin", "another site")[:200]
            raise NotAuthenticated(
                f"A page of {origin!r} needs an API key for this: it is neither of this site nor in"
                " CSRF_TRUSTED_ORIGINS."
            )
        return True


class IsOperator(BasePermission):
    """Admit operators."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller may change what others own."""
        return may_operate(request.user)


class IsOperatorOrOpen(BasePermission):
    """Admit operators, and every caller where no key is needed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller may use a route documented to need no key."""
        if needs_no_key(request.META):
            return MayUseApi().has_permission(request, view)
        return may_operate(request.user)


def _changes_from_foreign_page(request: Request) -> bool:
    """Return whether a page of another site made its visitor's browser send a write.

    Without credentials there is no CSRF token to check, and a developer's API listens on localhost.
    """
    if request.method in SAFE_METHODS:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site in ("none", "same-origin"):
        return False
    if "Origin" in request.headers:
        # Django's own comparison, with this origin and with CSRF_TRUSTED_ORIGINS.
        check: Any = CsrfViewMiddleware(lambda request: HttpResponse())
        return not check._origin_verified(request)
    # Browsers send one of the two headers, other clients neither.
    return site is not None
