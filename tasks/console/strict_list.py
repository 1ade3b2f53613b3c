"""Lists of the console: only the filters on the screen may filter them, by usable values."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import (
    ALL_VAR,
    ERROR_FLAG,
    IGNORED_PARAMS,
    PAGE_VAR,
    SEARCH_VAR,
)
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from tasks.filter_values import UnusableParameter, mistakes_in

# Those that Django's own filters of a field write into a link.
_SUFFIXES = ("exact", "isnull", "id__exact")
# Those that filter nothing.
_OTHERS = {*IGNORED_PARAMS, PAGE_VAR, ERROR_FLAG}


class StrictListAdmin(ModelAdmin):
    """A list that answers 400 to every parameter that it cannot use.

    A filter that is ignored would select too much, and one by any column would let those who may
    only view the list find out what it does not show, such as inputs and digests of passwords.
    """

    # Fields that links of the console filter by, besides the filters on the screen.
    linked_lookups: ClassVar[tuple[str, ...]] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return whether a query parameter may filter the list: those of its filters may."""
        return lookup in self.lookups()

    def lookups(self) -> list[str]:
        """Return the query parameters that may filter the list."""
        filters: Any = self.list_filter
        fields = [item for item in filters if isinstance(item, str)]
        named = [item.parameter_name for item in filters if not isinstance(item, str)]
        of_fields = [f"{name}__{suffix}" for name in fields for suffix in _SUFFIXES]
        return [*named, *of_fields, *self.linked_lookups]

    def require_usable(self, request: HttpRequest) -> None:
        """Raise UnusableParameter for a parameter that is unknown, repeated or has no value."""
        for name in request.GET:
            if name not in _OTHERS and not self.lookup_allowed(name, "", request):
                raise UnusableParameter(f"{name[:100]}: There is no such filter.")
        for name, mistake in mistakes_in(request.GET).items():
            # Django's own link to all rows has no value.
            if name != ALL_VAR or request.GET[name]:
                raise UnusableParameter(f"{name[:100]}: {mistake}")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list; raise UnusableParameter for a value that cannot be converted."""
        try:
            return super().get_changelist_instance(request)
        except IncorrectLookupParameters:
            names = ", ".join(request.GET)
            raise UnusableParameter(f"{names}: A value is not valid.") from None

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


def without_empty_search(request: HttpRequest) -> str | None:
    """Return the address without the empty search that a cleared form sends; None without one."""
    if request.method != "GET" or request.GET.getlist(SEARCH_VAR) != [""]:
        return None
    query = request.GET.copy()
    del query[SEARCH_VAR]
    return f"{request.path}?{query.urlencode()}".removesuffix("?")
