from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection

pytestmark = pytest.mark.django_db

migration = import_module("tasks.migrations.0002_console_groups")
VIEW = {"view_task", "view_attempt", "view_batch", "view_queue", "view_worker"}


def make_groups() -> None:
    migration.make_groups(apps, SimpleNamespace(connection=connection))


def codenames(group: str) -> set[str]:
    return set(Group.objects.get(name=group).permissions.values_list("codename", flat=True))


def test_viewers_may_view_and_operators_may_also_operate():
    make_groups()
    assert codenames("viewers") == VIEW
    assert codenames("operators") == VIEW | {"operate_task", "view_logentry"}


def test_the_groups_can_be_created_before_django_creates_permissions():
    Group.objects.all().delete()
    Permission.objects.filter(content_type__app_label="tasks").delete()
    make_groups()
    make_groups()
    assert codenames("viewers") == VIEW
    assert Permission.objects.filter(codename="operate_task").count() == 1


def test_the_permissions_have_the_names_that_django_gives_them():
    Permission.objects.filter(content_type__app_label="tasks").delete()
    make_groups()
    task = apps.get_model("tasks", "Task")
    name = dict(task._meta.permissions)["operate_task"]
    assert Permission.objects.get(codename="operate_task").name == name
    assert Permission.objects.get(codename="view_batch").name == "Can view batch"
