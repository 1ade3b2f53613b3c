"""Routes: the canonical API, those of the five documented systems, the pages, the console."""

from __future__ import annotations

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView


def _not_found(request: HttpRequest, address: str) -> HttpResponse:
    raise Http404


handler400 = "tasks.pages.errors.bad_request"

urlpatterns: list[URLPattern | URLResolver] = [
    # Redirect an address of the console typed without its final slash.
    re_path(
        r"^(?P<page>admin(?:/.*[^/])?)$", RedirectView.as_view(url="/%(page)s/", query_string=True)
    ),
    # Django's links to the site's own page of a row: no row has one, and its look-up fails for ids.
    path("admin/r/<path:address>", _not_found),
    path("admin/", admin.site.urls),
    path("", include("tasks.api.urls")),
    path("", include("analysis.urls")),
    path("", include("tasks.pages.urls")),
]
