"""Platforms: the table of where conversations are held."""

from __future__ import annotations

from django.db import models


class Platform(models.TextChoices):
    """Where a conversation is held.

    Every line but `API` names a module of `analysis.webhooks`, which describes the platform; see
    `analysis/webhooks/contract.py` for how to add one.
    """

    API = "api", "API"
    FACEBOOK = "facebook", "Facebook Messenger"
    GOOGLE = "google", "Google RCS for Business"
    GENERIC = "generic", "Generic"
