"""Shapes of `/v1/tasks`, as documented."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.models import Status


class TextTaskCreatedSerializer(serializers.Serializer[Any]):
    """An accepted text."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(
        Status.choices, help_text="PENDING, unless the request was repeated."
    )


class TextResultSerializer(serializers.Serializer[Any]):
    """The words of a text."""

    word_count = serializers.IntegerField(help_text="Number of words, without stop words.")
    top_words = serializers.ListField(
        child=serializers.CharField(), max_length=5, help_text="Most frequent first."
    )


class TextTaskSerializer(serializers.Serializer[Any]):
    """The analysis of a text: its status, and its result or error."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(Status.choices)
    retry_count = serializers.IntegerField()
    result = TextResultSerializer(allow_null=True)
    error = serializers.CharField(allow_null=True, help_text="Why it failed.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
