"""Routes of the five documented systems, outside the canonical API."""

from __future__ import annotations

from analysis.compute.api import ProcessView, ResultsView
from analysis.conversations.api import MessagesView
from analysis.conversations.tasks_api import ActiveView, CancelView, QueuesView, StatusView
from analysis.summarize.api import SummariesView
from analysis.text.api import TextTasksView, TextTaskView
from analysis.vectors.api import VectorTasksView, VectorTaskView
from analysis.vectors.search_api import VectorSearchView
from analysis.webhooks.api import webhook_view
from analysis.webhooks.interactions_api import InteractionsView
from analysis.webhooks.platforms import PLATFORMS
from tasks.rest import route

app_name = "analysis"

urlpatterns = [
    *route("v1/tasks", TextTasksView.as_view()),
    *route("v1/tasks/<anycase_uuid:task_id>", TextTaskView.as_view(), name="text-task"),
    *route("api/v1/tasks/summarize/", SummariesView.as_view()),
    *route("process", ProcessView.as_view()),
    *route("results/<anycase_uuid:task_id>", ResultsView.as_view(), name="results"),
    *route("tasks", VectorTasksView.as_view()),
    *route("tasks/<anycase_uuid:task_id>", VectorTaskView.as_view(), name="vector-task"),
    *route("api/v1/vectors/search", VectorSearchView.as_view()),
    *route("conversations/message", MessagesView.as_view()),
    *route("conversations/webhook-interaction", InteractionsView.as_view()),
    *route("conversations/tasks/queues/status", QueuesView.as_view()),
    *route("conversations/tasks/active", ActiveView.as_view()),
    *route(
        "conversations/tasks/<anycase_uuid:task_id>/status",
        StatusView.as_view(),
        name="conversation-task",
    ),
    *route("conversations/tasks/<anycase_uuid:task_id>/cancel", CancelView.as_view()),
    *(
        pattern
        for platform in PLATFORMS.values()
        for pattern in route(platform.route, webhook_view(platform).as_view())
    ),
]
