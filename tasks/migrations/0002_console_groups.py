"""Make the console's two roles: viewers may look, operators may also act."""

from __future__ import annotations

from django.conf import settings
from django.db import migrations

VIEW = {"task": "Can view task", "attempt": "Can view attempt", "batch": "Can view batch",
        "queue": "Can view queue", "worker": "Can view worker"}
OPERATE = "Can retry, cancel and delete tasks of others"


def make_groups(apps, schema_editor):
    """Make both groups with their permissions.

    Django makes permissions only after the last migration, so those needed are made here; it
    finds them by content type and codename and makes them no second time.
    """
    using = schema_editor.connection.alias
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(using)
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    groups = apps.get_model("auth", "Group").objects.using(using)

    def permission(app, model, codename, name):
        content_type, _ = content_types.get_or_create(app_label=app, model=model)
        found, _ = permissions.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        return found

    view = [permission("tasks", model, f"view_{model}", name) for model, name in VIEW.items()]
    operate = [
        permission("tasks", "task", "operate_task", OPERATE),
        permission("admin", "logentry", "view_logentry", "Can view log entry"),
    ]
    for name, granted in (("viewers", view), ("operators", [*view, *operate])):
        group, _ = groups.get_or_create(name=name)
        group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    # Going back leaves the groups: people may be in them.
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
