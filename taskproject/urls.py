"""Every route: the canonical API, the five systems' own, the pages, the console."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("tasks.api.urls")),
    path("", include("analysis.urls")),
    path("", include("tasks.pages.urls")),
]
