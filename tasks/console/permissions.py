"""Permissions of the console: viewers see it, operators act in it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ShowFacets
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from tasks.access import may_operate, may_see_all
from tasks.console.strict_list import StrictListAdmin


def is_viewer(request: HttpRequest) -> bool:
    """Return whether this user may see counts and rows in the console."""
    return may_see_all(request.user)


def is_operator(request: HttpRequest) -> bool:
    """Return whether this user may act in the console."""
    return may_operate(request.user)


def require_operator(request: HttpRequest) -> None:
    """Raise PermissionDenied unless the user is an operator."""
    if not is_operator(request):
        raise PermissionDenied


class EngineAdmin(StrictListAdmin):
    """A screen of rows that only the engine's verbs change."""

    actions_on_top = True
    list_disable_select_all = True
    show_full_result_count = False
    # Facets would count the whole table once for each choice.
    show_facets = ShowFacets.NEVER
    sortable_by = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this user may view tasks; other rows need no separate permission."""
        return is_viewer(request)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this user may act."""
        return is_operator(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether this user may see the screen."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the engine creates these rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the engine changes these rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a verb deletes these rows."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list, or run an operator's action on a selection."""
        if request.method == "POST":
            require_operator(request)
        return super().changelist_view(request, extra_context)
