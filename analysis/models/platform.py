"""Platforms: the table of them."""

from __future__ import annotations

from django.db import models


class Platform(models.TextChoices):
    """The platform that a conversation takes place on.

    Every line but `API` names a module of `analysis.webhooks`, which describes the platform; see
    `analysis/webhooks/contract.py` for how to add one.
    """

    API = "api", "API"
    FACEBOOK = "facebook", "Facebook Messenger"
    GOOGLE = "google", "Google RCS for Business"
    GENERIC = "generic", "Generic"
