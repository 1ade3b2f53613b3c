"""Kind `vectors.index`: stores vectors for the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from analysis.input_schema import input_schema
from analysis.models import Vector
from analysis.vectors.directions import MAX_DIMENSION, NoDirection, direction
from tasks.kinds import Context, FatalError

MAX_VECTORS = 1_000
# Stored with every vector of the task.
MAX_METADATA_BYTES = 16 * 1024
_CHUNK = 100

VECTOR = {
    "type": "array",
    "items": {"type": "number"},
    "minItems": 1,
    "maxItems": MAX_DIMENSION,
}

INPUT = input_schema(
    {
        "vector_data": {
            "type": "array",
            "minItems": 1,
            "description": f"One vector of up to {MAX_DIMENSION:,} numbers, "
            f"or a list of up to {MAX_VECTORS:,} vectors.",
            "if": {"prefixItems": [{"type": "array"}]},
            "then": {"items": VECTOR, "maxItems": MAX_VECTORS},
            "else": {"items": VECTOR["items"], "maxItems": MAX_DIMENSION},
        },
        "metadata": {
            "type": "object",
            "description": "Your own metadata, returned with search results; at most 16 KiB.",
        },
    },
    required=["vector_data"],
)


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Normalise one vector or a list of vectors, and store them for the search by cosine.

    `processed_vectors` is the length of `vector_data`, as documented: for one vector, the number
    of its numbers. `stored_vectors` is the number of vectors that were stored.
    """
    data, metadata = input["vector_data"], input.get("metadata", {})
    if len(orjson.dumps(metadata)) > MAX_METADATA_BYTES:
        raise FatalError(f"The metadata is larger than {MAX_METADATA_BYTES:,} bytes.")
    directions = _directions(data if isinstance(data[0], list) else [data])
    rows = [
        Vector(
            owner_id=context.owner_id,
            task_id=context.task_id,
            position=position,
            dimension=len(components),
            components=components,
            metadata=metadata,
        )
        for position, components in enumerate(directions)
    ]
    for start in range(0, len(rows), _CHUNK):
        context.check()
        Vector.objects.bulk_create(rows[start : start + _CHUNK])
    return {
        "processed_vectors": len(data),
        "status": "indexed",
        "metadata_processed": metadata,
        "stored_vectors": len(directions),
    }


def _directions(vectors: Sequence[Sequence[float]]) -> list[list[float]]:
    directions = []
    for position, vector in enumerate(vectors):
        try:
            directions.append(direction(vector))
        except NoDirection as error:
            raise FatalError(f"Vector {position} cannot be indexed: {error}.") from error
    return directions
