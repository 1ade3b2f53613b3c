"""Routes: the canonical API, those of the five documented systems, the pages, the console."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("tasks.api.urls")),
    path("", include("analysis.urls")),
    path("", include("tasks.pages.urls")),
]
