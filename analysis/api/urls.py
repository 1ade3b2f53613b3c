"""The five systems' own routes."""

from __future__ import annotations

from analysis.api.views import TextTasksView, TextTaskView
from tasks.api.routes import route

app_name = "analysis"

urlpatterns = [
    *route("v1/tasks", TextTasksView.as_view()),
    *route("v1/tasks/<uuid:task_id>", TextTaskView.as_view(), name="text-task"),
]
