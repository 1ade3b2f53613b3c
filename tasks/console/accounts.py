"""Users and groups, styled like the console."""

from __future__ import annotations

from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm


class UserAdmin(StockUserAdmin, ModelAdmin):  # type: ignore[type-arg,misc]
    """Users who may log in and call the API."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")


class GroupAdmin(StockGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Groups; a migration creates operators and viewers."""
