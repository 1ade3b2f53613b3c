"""The five systems' own routes."""

from __future__ import annotations

from analysis.api.computations import ProcessView, ResultsView
from analysis.api.summaries import SummariesView
from analysis.api.vector_search import VectorSearchView
from analysis.api.vectors import VectorTasksView, VectorTaskView
from analysis.api.views import TextTasksView, TextTaskView
from tasks.api.routes import route

app_name = "analysis"

urlpatterns = [
    *route("v1/tasks", TextTasksView.as_view()),
    *route("v1/tasks/<uuid:task_id>", TextTaskView.as_view(), name="text-task"),
    *route("api/v1/tasks/summarize/", SummariesView.as_view()),
    *route("process", ProcessView.as_view()),
    *route("results/<uuid:task_id>", ResultsView.as_view(), name="results"),
    *route("tasks", VectorTasksView.as_view()),
    *route("tasks/<uuid:task_id>", VectorTaskView.as_view(), name="vector-task"),
    *route("api/v1/vectors/search", VectorSearchView.as_view()),
]
