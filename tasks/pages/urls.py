"""Routes of the pages: all below /ui/ except the home page, because `/tasks` is an API."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, re_path
from django.views.generic import RedirectView

from tasks.pages import batches, views

app_name = "tasks-ui"

_login = LoginView.as_view(
    template_name="tasks/login.html",
    next_page="tasks-ui:home",
    redirect_authenticated_user=True,
)

urlpatterns = [
    path("", views.home, name="home"),
    path("ui/kinds/<str:name>/", views.submit, name="kind"),
    path("ui/tasks/", views.task_list, name="task-list"),
    path("ui/tasks/<anycase_uuid:task_id>/", views.task_detail, name="task-detail"),
    path("ui/tasks/<anycase_uuid:task_id>/status/", views.task_status, name="task-status"),
    path("ui/tasks/<anycase_uuid:task_id>/cancel/", views.task_cancel, name="task-cancel"),
    path("ui/tasks/<anycase_uuid:task_id>/retry/", views.task_retry, name="task-retry"),
    path("ui/batches/<anycase_uuid:batch_id>/", batches.batch_detail, name="batch-detail"),
    path("ui/batches/<anycase_uuid:batch_id>/cancel/", batches.batch_cancel, name="batch-cancel"),
    path("ui/batches/<anycase_uuid:batch_id>/retry/", batches.batch_retry, name="batch-retry"),
    path("ui/login/", _login, name="login"),
    path("ui/logout/", LogoutView.as_view(next_page="tasks-ui:home"), name="logout"),
    # Redirect an address typed without its final slash.
    re_path(r"^(?P<page>ui/.+[^/])$", RedirectView.as_view(url="/%(page)s/", query_string=True)),
]
