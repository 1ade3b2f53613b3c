"""Debug page: which settings and variables it must not show."""

from __future__ import annotations

import re

from django.views.debug import SafeExceptionReporterFilter


class Filter(SafeExceptionReporterFilter):
    """Django's own, which also hides addresses: they may hold a password."""

    hidden_settings = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern + "|URL|LOCATION", flags=re.IGNORECASE
    )
