"""The platforms, by name, and what each needs to be set before it may be used."""

from __future__ import annotations

from types import ModuleType

from django.conf import settings
from django.contrib.auth.models import User

from analysis.models import Platform
from analysis.webhooks import facebook, generic, google
from tasks.access import may_operate

PLATFORMS: dict[str, ModuleType] = {
    Platform.FACEBOOK: facebook,
    Platform.GOOGLE: google,
    Platform.GENERIC: generic,
}


def can_respond(platform: str) -> bool:
    """Tell whether replies can be sent to a platform."""
    return bool(getattr(settings, PLATFORMS[platform].NEEDED_TO_RESPOND))


def may_respond(owner_id: int | None) -> bool:
    """Return whether replies in an owner's conversations may be sent to the platform.

    Conversations without an owner begin with a platform's own signed event. In any other, only an
    operator's replies are sent: a key alone must not be enough to message any telephone number.
    """
    return owner_id is None or may_operate(User.objects.filter(pk=owner_id).first())
