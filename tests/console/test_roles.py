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


def granted(group: str) -> set[str]:
    return set(Group.objects.get(name=group).permissions.values_list("codename", flat=True))


def test_viewers_look_and_operators_act():
    make_groups()
    assert granted("viewers") == VIEW
    assert granted("operators") == VIEW | {"operate_task", "view_logentry"}


def test_the_roles_are_made_before_django_makes_permissions():
    Group.objects.all().delete()
    Permission.objects.filter(content_type__app_label="tasks").delete()
    make_groups()
    make_groups()
    assert granted("viewers") == VIEW
    assert Permission.objects.filter(codename="operate_task").count() == 1


def test_the_permissions_carry_djangos_own_names():
    Permission.objects.filter(content_type__app_label="tasks").delete()
    make_groups()
    task = apps.get_model("tasks", "Task")
    name = dict(task._meta.permissions)["operate_task"]
    assert Permission.objects.get(codename="operate_task").name == name
    assert Permission.objects.get(codename="view_batch").name == "Can view batch"
