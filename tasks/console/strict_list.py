"""Lists of the console: only the filters on the screen may filter them, by usable values."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_FACETS_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import (
    ALL_VAR,
    ERROR_FLAG,
    IGNORED_PARAMS,
    ORDER_VAR,
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
# Empty in Django's own links: to all rows, and to a list that no column sorts.
_MAY_BE_EMPTY = (ALL_VAR, ORDER_VAR)
# What Django reads as another value without an error.
_FORMS = {
    PAGE_VAR: re.compile(r"[1-9][0-9]{0,8}"),
    ORDER_VAR: re.compile(r"(-?[1-9][0-9]?(\.-?[1-9][0-9]?)*)?"),
    IS_FACETS_VAR: re.compile(r"True|1"),
    ALL_VAR: re.compile(r"1?"),
}
_BOOLEAN = re.compile(r"True|False|1|0")


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
            if name not in _MAY_BE_EMPTY or request.GET[name]:
                raise UnusableParameter(f"{name[:100]}: {mistake}")
        for name, value in request.GET.items():
            if not self._is_usable(name, str(value), request):
                raise UnusableParameter(f"{name[:100]}: The value is not valid.")

    def _is_usable(self, name: str, value: str, request: HttpRequest) -> bool:
        if form := _BOOLEAN if name.endswith("__isnull") else _FORMS.get(name):
            columns = len(self.get_list_display(request)) if name == ORDER_VAR else 0
            numbers = re.findall(r"[0-9]+", value) if columns else []
            return bool(form.fullmatch(value)) and all(int(each) <= columns for each in numbers)
        field = name.removesuffix("__exact")
        if field != name and field in self.list_filter:
            choices = self.model._meta.get_field(field).choices
            return not choices or value in {str(choice) for choice, _ in choices}
        return True

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
