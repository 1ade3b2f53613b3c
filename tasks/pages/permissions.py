"""Permissions of the pages, and the owner of tasks submitted there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRefresh

from tasks.access import may_enter

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Rest], HttpResponse]


def for_visitors(view: View[Rest]) -> View[Rest]:
    """Require a login, except where the API needs no key."""

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
        if may_enter(request.user, request.META):
            return view(request, *args, **kwargs)
        if request.headers.get("HX-Request"):
            # Reload the whole page: htmx would put the login form into a part of it.
            return HttpResponseClientRefresh()
        back = request.get_full_path() if request.method == "GET" else reverse("tasks-ui:home")
        return redirect_to_login(back, reverse("tasks-ui:login"))

    return guarded


def owner_of_new(request: HttpRequest) -> User | None:
    """Return the owner of a task submitted by this request; None for an anonymous visitor."""
    return request.user if isinstance(request.user, User) else None
