"""Users and groups, styled like the console."""

from __future__ import annotations

from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tasks.console.strict_list import StrictListAdmin


class UserAdmin(StockUserAdmin, StrictListAdmin):  # type: ignore[type-arg,misc]
    """Users who may log in and call the API."""

    # Django's confirmation has a field for each row: what one page shows fits into a form.
    list_disable_select_all = True
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")


class GroupAdmin(StockGroupAdmin, StrictListAdmin):  # type: ignore[misc]
    """Groups; a migration creates operators and viewers."""

    list_disable_select_all = True
