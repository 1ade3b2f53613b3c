"""Shapes of `/tasks`, as documented, and of the vector search."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from analysis.celery_states import CELERY_STATES


class VectorTaskAcceptedSerializer(serializers.Serializer[Any]):
    """Accepted vectors."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(["Processing"])


class VectorResultSerializer(serializers.Serializer[Any]):
    """The result of an indexing task."""

    processed_vectors = serializers.IntegerField(help_text="The length of `vector_data`.")
    status = serializers.ChoiceField(["indexed"])
    metadata_processed = serializers.DictField()


class VectorTaskSerializer(serializers.Serializer[Any]):
    """An indexing task: its status, and its result."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(CELERY_STATES)
    result = VectorResultSerializer(allow_null=True)


class VectorMatchSerializer(serializers.Serializer[Any]):
    """An indexed vector near the one that was searched for."""

    vector_id = serializers.UUIDField()
    task_id = serializers.UUIDField(help_text="The task that indexed it.")
    position = serializers.IntegerField(
        help_text="Index of the vector in the submitted list, from 0."
    )
    score = serializers.FloatField(
        min_value=-1, max_value=1, help_text="Cosine similarity; 1 means the same direction."
    )
    metadata = serializers.DictField()


class VectorMatchesSerializer(serializers.Serializer[Any]):
    """The nearest vectors, nearest first."""

    results = VectorMatchSerializer(many=True)
