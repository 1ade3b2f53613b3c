"""Request examples in the OpenAPI document."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample

_TASK = {"kind": "text.analyze", "input": {"text": "To be, or not to be, that is the question."}}

SUBMISSIONS = [
    OpenApiExample("At once", value=_TASK, request_only=True),
    OpenApiExample(
        "In a minute, before other tasks",
        value={**_TASK, "delay": 60, "priority": 10, "metadata": {"source": "example"}},
        request_only=True,
    ),
    OpenApiExample(
        "Once, half a minute after the last such request",
        value={
            **_TASK,
            "delay": 30,
            "unique": {
                "key": "document 12",
                "while": "waiting",
                "on_conflict": "replace",
                "longest_wait": 300,
            },
        },
        request_only=True,
    ),
]

BATCHES = [
    OpenApiExample("An array", value=[_TASK, _TASK], request_only=True),
    OpenApiExample("An object", value={"tasks": [_TASK, _TASK]}, request_only=True),
]
