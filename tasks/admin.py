"""Registration of the console's screens with the admin."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db.models import Model
from knox.models import AuthToken

from tasks.console.accounts import GroupAdmin, UserAdmin
from tasks.console.alert_rules import AlertRuleAdmin
from tasks.console.alerts import AlertAdmin
from tasks.console.api_keys import ApiKeyAdmin
from tasks.console.audit_log import AuditLogAdmin
from tasks.console.batches import BatchAdmin
from tasks.console.breakers import BreakerAdmin
from tasks.console.limits import LimitAdmin
from tasks.console.queues import QueueAdmin
from tasks.console.schedules import ScheduleAdmin
from tasks.console.task_list import TaskAdmin
from tasks.console.workers import WorkerAdmin
from tasks.models import Alert, AlertRule, Batch, Breaker, Limit, Queue, Schedule, Task, Worker

# Procrastinate's own screens would let users who may only view cancel and retry jobs.
stock: list[type[Model]] = [
    *apps.get_app_config("procrastinate").get_models(),
    AuthToken,
    User,
    Group,
]
admin.site.unregister([model for model in stock if admin.site.is_registered(model)])

admin.site.register(Task, TaskAdmin)
admin.site.register(Batch, BatchAdmin)
admin.site.register(Queue, QueueAdmin)
admin.site.register(Limit, LimitAdmin)
admin.site.register(Schedule, ScheduleAdmin)
admin.site.register(Worker, WorkerAdmin)
admin.site.register(Breaker, BreakerAdmin)
admin.site.register(Alert, AlertAdmin)
admin.site.register(AlertRule, AlertRuleAdmin)
admin.site.register(AuthToken, ApiKeyAdmin)
admin.site.register(User, UserAdmin)
admin.site.register(Group, GroupAdmin)
admin.site.register(LogEntry, AuditLogAdmin)
