"""Permissions of the console: viewers see it, operators act in it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from tasks.access import may_operate, may_see_all

# Those that Django's own filters of a field write into a link.
_SUFFIXES = ("exact", "isnull", "id__exact")


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


def _field_names(model: type[models.Model]) -> set[str]:
    """Return the names by which a query may filter the rows of a model."""
    fields = model._meta.get_fields()
    return {"pk"} | {
        name for field in fields for name in (field.name, getattr(field, "attname", ""))
    }


class StrictListAdmin(ModelAdmin):
    """A list that refuses with 400 what would fail in the database."""

    # Fields that links of the console filter by, besides the filters on the screen.
    linked_lookups: ClassVar[tuple[str, ...]] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return whether a query parameter may filter the list: those of its filters may."""
        filters: Any = self.list_filter
        fields = [item for item in filters if isinstance(item, str)]
        named = [item.parameter_name for item in filters if not isinstance(item, str)]
        of_fields = [f"{name}__{suffix}" for name in fields for suffix in _SUFFIXES]
        names_field = lookup.partition("__")[0] in _field_names(self.model)
        # Django ignores the rest, and shows the list with a note.
        return lookup in (*named, *of_fields, *self.linked_lookups) or not names_field

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *location: Any
    ) -> HttpResponse | None:
        """Run an action; raise BadRequest for ids that are not ids."""
        if not request.POST.get("index", "0").isdecimal():
            raise BadRequest("The index of the action is not a number.")
        for value in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.model._meta.pk.to_python(value)
            except ValidationError:
                raise BadRequest("A selected id is not valid.") from None
        return super().response_action(request, queryset, *location)


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
