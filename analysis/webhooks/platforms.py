"""Webhook platforms by name, and who may send replies to them."""

from __future__ import annotations

from importlib import import_module

from django.contrib.auth.models import User

from analysis.models import Platform
from analysis.webhooks.contract import WebhookPlatform
from tasks.access import may_operate


def _load(platform: Platform) -> WebhookPlatform:
    described: WebhookPlatform = import_module(f"analysis.webhooks.{platform}").PLATFORM
    return described


PLATFORMS: dict[str, WebhookPlatform] = {
    platform.value: _load(platform) for platform in Platform if platform != Platform.API
}


def may_respond(owner_id: int | None) -> bool:
    """Return whether replies in an owner's conversations may be sent to the platform.

    Conversations without an owner begin with a platform's own signed event. In any other, only an
    operator's replies are sent: a key alone must not be enough to message any telephone number.
    """
    return owner_id is None or may_operate(User.objects.filter(pk=owner_id).first())
