"""Fingerprints of the secrets that processes on this database sign with."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class SecretFingerprint(models.Model):
    """What the process that started last has; the secrets themselves are not stored."""

    # What they sign: `tasks.startup`.
    name = models.CharField(max_length=32, primary_key=True)
    fingerprints = ArrayField(models.CharField(max_length=64))

    def __str__(self) -> str:
        return self.name
