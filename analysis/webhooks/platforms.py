"""The platforms, by name, and what each needs to be set before it may be used."""

from __future__ import annotations

from types import ModuleType

from django.conf import settings
from django.contrib.auth.models import User

from analysis.models import Platform
from analysis.webhooks import facebook, generic, google

PLATFORMS: dict[str, ModuleType] = {
    Platform.FACEBOOK: facebook,
    Platform.GOOGLE: google,
    Platform.GENERIC: generic,
}


def can_respond(platform: str) -> bool:
    """Tell whether replies can be sent to a platform."""
    return bool(getattr(settings, PLATFORMS[platform].NEEDED_TO_RESPOND))


def may_respond(owner_id: int | None) -> bool:
    """Tell whether an owner's replies may go out in the operator's name.

    Those to nobody's conversations may, which the platforms' own signed events begin, and those
    of operators: not what any holder of a key would have said to any telephone.
    """
    if owner_id is None:
        return True
    owner = User.objects.filter(pk=owner_id, is_active=True).first()
    if owner is None:
        return False
    return owner.is_superuser or (owner.is_staff and owner.has_perm("tasks.operate_task"))
