"""Routes of the canonical API, of health and of the documentation."""

from __future__ import annotations

from tasks.api import openapi  # noqa: F401 its import registers the scheme of the API keys
from tasks.api.routes import route
from tasks.api.views import (
    alert_rules,
    alerts,
    batches,
    breakers,
    callbacks,
    dead_letters,
    documentation,
    health,
    kinds,
    limits,
    metrics,
    queues,
    schedules,
    task_actions,
)
from tasks.api.views.tasks import TasksView, TaskView

app_name = "api"

urlpatterns = [
    *route("api/v1/tasks/", TasksView.as_view(), name="tasks"),
    *route("api/v1/tasks/<anycase_uuid:task_id>", TaskView.as_view(), name="task"),
    *route("api/v1/tasks/batch/", batches.BatchesView.as_view()),
    *route("api/v1/batches/<anycase_uuid:batch_id>", batches.BatchView.as_view(), name="batch"),
    *route("api/v1/tasks/<anycase_uuid:task_id>/retry", task_actions.RetryView.as_view()),
    *route("api/v1/tasks/<anycase_uuid:task_id>/cancel", task_actions.CancelView.as_view()),
    *route("api/v1/tasks/requeue-orphaned", task_actions.RequeueOrphanedView.as_view()),
    *route("api/v1/queues/status", queues.QueuesStatusView.as_view()),
    *route("api/v1/queues/dlq", dead_letters.DeadLettersView.as_view()),
    *route("api/v1/queues/dlq/retry", dead_letters.RetryFailuresView.as_view()),
    *route("api/v1/queues/dlq/purge", dead_letters.PurgeFailuresView.as_view()),
    *route("api/v1/queues/<str:name>/pause", queues.PauseView.as_view()),
    *route("api/v1/queues/<str:name>/resume", queues.ResumeView.as_view()),
    *route("api/v1/kinds/", kinds.KindsView.as_view()),
    *route("api/v1/kinds/<str:name>", kinds.KindView.as_view()),
    *route("api/v1/limits/", limits.LimitsView.as_view()),
    *route("api/v1/limits/<anycase_uuid:limit_id>", limits.LimitView.as_view(), name="limit"),
    *route("api/v1/schedules/", schedules.SchedulesView.as_view()),
    *route(
        "api/v1/schedules/<anycase_uuid:schedule_id>",
        schedules.ScheduleView.as_view(),
        name="schedule",
    ),
    *route("api/v1/schedules/<anycase_uuid:schedule_id>/runs", schedules.RunsView.as_view()),
    *route("api/v1/schedules/<anycase_uuid:schedule_id>/enable", schedules.EnableView.as_view()),
    *route("api/v1/schedules/<anycase_uuid:schedule_id>/disable", schedules.DisableView.as_view()),
    *route("api/v1/schedules/<anycase_uuid:schedule_id>/run", schedules.RunView.as_view()),
    *route("api/v1/alerts/", alerts.AlertsView.as_view()),
    *route("api/v1/alerts/secrets", alerts.AlertSecretsView.as_view()),
    *route("api/v1/alerts/rules/", alert_rules.RulesView.as_view()),
    *route(
        "api/v1/alerts/rules/<anycase_uuid:rule_id>",
        alert_rules.RuleView.as_view(),
        name="alert_rule",
    ),
    *route("api/v1/alerts/rules/<anycase_uuid:rule_id>/mute", alert_rules.MuteView.as_view()),
    *route("api/v1/alerts/rules/<anycase_uuid:rule_id>/unmute", alert_rules.UnmuteView.as_view()),
    *route("api/v1/alerts/<anycase_uuid:alert_id>", alerts.AlertView.as_view(), name="alert"),
    *route("api/v1/alerts/<anycase_uuid:alert_id>/acknowledge", alerts.AcknowledgeView.as_view()),
    *route("api/v1/callbacks/secrets", callbacks.CallbackSecretsView.as_view()),
    *route("metrics", metrics.MetricsView.as_view()),
    *route("health", health.HealthView.as_view()),
    *route("health/live", health.LiveView.as_view()),
    *route("health/ready", health.ReadyView.as_view()),
    *route("health/workers", health.WorkersView.as_view()),
    *route("health/workers/diagnostics", health.DiagnosticsView.as_view()),
    *route("health/workers/reset-circuit-breaker", breakers.ResetView.as_view()),
    *route("api/schema/", documentation.SchemaView.as_view(), name="schema"),
    *route("docs", documentation.SwaggerView.as_view()),
    *route("problems/<slug:slug>", documentation.ProblemTypeView.as_view()),
]
