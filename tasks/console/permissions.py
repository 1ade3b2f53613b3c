"""Who may look at the console, and who may act in it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ShowFacets
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from tasks.access import may_operate, may_see_all


def is_viewer(request: HttpRequest) -> bool:
    """Return whether the console shows its figures and rows to this user."""
    return may_see_all(request.user)


def is_operator(request: HttpRequest) -> bool:
    """Return whether this user may act in the console."""
    return may_operate(request.user)


def require_operator(request: HttpRequest) -> None:
    """Raise PermissionDenied unless the user is an operator."""
    if not is_operator(request):
        raise PermissionDenied


class EngineAdmin(ModelAdmin):
    """A screen over rows that the engine owns: seen by staff, changed by verbs alone."""

    actions_on_top = True
    list_disable_select_all = True
    show_full_result_count = False
    # Facets would count the whole table once for each choice.
    show_facets = ShowFacets.NEVER
    sortable_by = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Admit viewers of tasks: queues, workers and batches need no permission of their own."""
        return is_viewer(request)

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this user may act."""
        return is_operator(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the screen to whoever may see it."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the engine makes these rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the engine changes these rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a verb deletes them."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list, or run an action on a selection; refuse a viewer's hand-made POST."""
        if request.method == "POST":
            require_operator(request)
        return super().changelist_view(request, extra_context)
