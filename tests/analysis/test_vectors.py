from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.db.models import Func
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient
from uuid_utils.compat import uuid7

from analysis.models import Vector
from analysis.vectors.directions import NoDirection, direction
from analysis.vectors.handler import MAX_METADATA_BYTES, handle
from analysis.vectors.search import CosineByPgvector, CosineBySum, nearest
from tasks import kinds, submit
from tasks.errors import InvalidInput
from tasks.kinds import FatalError
from tasks.models import Status, Task
from tests.api.described import described, fields, post
from tests.factories import make_context, make_task

SEARCH = "/api/v1/vectors/search"
EXAMPLE = {"vector_data": [0.1, 0.2, 0.3], "metadata": {"source": "user"}}
DONE = {"processed_vectors": 3, "status": "indexed", "metadata_processed": {"source": "user"}}


def index(data: Any, *, owner: User | None = None, **metadata: Any) -> dict[str, Any]:
    owner_id = owner.pk if owner else None
    context = make_context(owner_id=owner_id)
    return handle({"vector_data": data, "metadata": metadata}, context)


def has_pgvector() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")
        return bool(cursor.fetchone()[0])


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50).filter(any)
)
def test_every_vector_except_zero_has_a_direction_of_length_one(vector: list[float]) -> None:
    scaled = direction(vector)
    assert math.hypot(*scaled) == pytest.approx(1)
    signs = zip(vector, scaled, strict=True)
    assert all(math.copysign(1, a) == math.copysign(1, b) for a, b in signs if b)


@pytest.mark.parametrize(
    "vector", [[], [0], [0.0, -0.0], [math.nan], [math.inf, 1], [10**400], [1.0] * 4097]
)
def test_zero_infinite_and_oversized_vectors_have_no_direction(vector: list[float]) -> None:
    with pytest.raises(NoDirection):
        direction(vector)


@pytest.mark.parametrize(
    "input",
    [
        {},
        {"vector_data": []},
        {"vector_data": [[]]},
        {"vector_data": ["0.1"]},
        {"vector_data": [0.1, [0.2]]},
        {"vector_data": [[0.1], 0.2]},
        {"vector_data": [[[0.1]]]},
        {"vector_data": [True]},
        {"vector_data": [0.5] * 4097},
        {"vector_data": [[0.5] * 4097]},
        {"vector_data": [[0.5]] * 1001},
        {"vector_data": [0.5], "metadata": []},
        {"vector_data": [0.5], "more": 1},
    ],
)
def test_invalid_vectors_are_refused_at_submission(input: Any) -> None:
    with pytest.raises(InvalidInput):
        kinds.get("vectors.index").validate(input)


def test_the_largest_inputs_are_accepted() -> None:
    for data in ([0.5] * 4096, [[0.5]] * 1000):
        kinds.get("vectors.index").validate({"vector_data": data})


@pytest.mark.django_db
def test_one_vector_is_stored_with_length_one_and_counted_as_documented() -> None:
    assert index([3, 4], source="user") == {
        "processed_vectors": 2,
        "status": "indexed",
        "metadata_processed": {"source": "user"},
        "stored_vectors": 1,
    }
    stored = Vector.objects.get()
    assert stored.components == pytest.approx([0.6, 0.8])
    assert (stored.dimension, stored.position, stored.metadata) == (2, 0, {"source": "user"})


@pytest.mark.django_db
def test_a_list_of_vectors_is_stored_in_order() -> None:
    result = index([[1, 0], [0, 1], [1, 1, 1]])
    assert (result["processed_vectors"], result["stored_vectors"]) == (3, 3)
    places = Vector.objects.order_by("position").values_list("position", "dimension")
    assert list(places) == [(0, 2), (1, 2), (2, 3)]


@pytest.mark.django_db
def test_a_vector_without_direction_or_too_much_metadata_is_fatal() -> None:
    with pytest.raises(FatalError, match="Vector 1 cannot be indexed: all its numbers"):
        index([[1, 2], [0, 0]])
    with pytest.raises(FatalError, match="metadata"):
        index([1], text="x" * MAX_METADATA_BYTES)
    assert not Vector.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("cosine", [CosineBySum, CosineByPgvector])
def test_the_nearest_vectors_come_first_with_and_without_pgvector(cosine: type[Func]) -> None:
    if cosine is CosineByPgvector and not has_pgvector():
        pytest.skip("this server has no pgvector")
    for name, vector in {
        "same": [2, 2],
        "near": [1, 0.5],
        "far": [-1, -1],
        "other": [1, 1, 1],
    }.items():
        index(vector, name=name)
    matches = nearest([1, 1], user=AnonymousUser(), limit=10, cosine=cosine)
    assert [match.vector.metadata["name"] for match in matches] == ["same", "near", "far"]
    assert [match.score for match in matches] == pytest.approx([1, 3 / math.sqrt(10), -1], abs=1e-6)
    assert all(-1 <= match.score <= 1 for match in matches)


@pytest.mark.django_db
def test_the_embedded_server_has_pgvector() -> None:
    assert has_pgvector()


@pytest.mark.django_db
def test_a_search_by_query_and_a_search_by_body_find_the_same_vectors(api: APIClient) -> None:
    index([[1, 0], [0, 1], [1, 1]], source="user")
    matches = described(api.get(SEARCH, {"vector": "0.9, 0.1", "limit": "2"}))["results"]
    assert [match["position"] for match in matches] == [0, 2]
    assert matches[0]["metadata"] == {"source": "user"}
    assert described(post(api, SEARCH, {"vector": [0.9, 0.1], "limit": 2}))["results"] == matches
    assert described(api.get(SEARCH, {"vector": "[1,2,3]"})) == {"results": []}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "vector"),
        ({"vector": ""}, "vector"),
        ({"vector": "1,,2"}, "vector"),
        ({"vector": "one"}, "vector"),
        ({"vector": "nan,1"}, "vector"),
        ({"vector": "1e999"}, "vector"),
        ({"vector": "0,0"}, "vector"),
        ({"vector": "1", "limit": "0"}, "limit"),
        ({"vector": "1", "limit": "101"}, "limit"),
        ({"vector": "1", "limit": "ten"}, "limit"),
        ({"vector": "1", "page": "2"}, "page"),
    ],
)
def test_invalid_searches_are_refused(api: APIClient, query: Any, field: str) -> None:
    (named,) = fields(api.get(SEARCH, query))
    assert named.startswith(field)


@pytest.mark.django_db
def test_users_find_their_own_vectors_and_staff_find_all(
    api: APIClient,
    api_for: Callable[[User], APIClient],
    user: User,
    stranger: User,
    viewer: User,
) -> None:
    index([1, 0], owner=user)
    index([0, 1])

    def count(caller: APIClient) -> int:
        return len(described(caller.get(SEARCH, {"vector": "1,1"}))["results"])

    assert [count(api), count(api_for(user)), count(api_for(stranger)), count(api_for(viewer))] == [
        1, 1, 0, 2
    ]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/tasks", "/tasks/"])
def test_vectors_are_accepted_in_the_documented_shape(api: APIClient, path: str) -> None:
    response = post(api, path, EXAMPLE)
    task = Task.objects.get()
    assert response.status_code == 202
    assert response.json() == {"task_id": str(task.id), "status": "Processing"}
    assert response["Location"] == f"/tasks/{task.id}"
    assert (task.kind, task.input) == ("vectors.index", EXAMPLE)
    assert set(fields(post(api, path, {"vector_data": "x"}))) == {"vector_data"}
    assert post(api, path, [1]).status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "attempt", "shown"),
    [
        (Status.PENDING, 0, "PENDING"),
        (Status.PENDING, 1, "RETRY"),
        (Status.PROCESSING, 1, "STARTED"),
        (Status.COMPLETED, 1, "SUCCESS"),
        (Status.FAILED, 1, "FAILURE"),
        (Status.CANCELLED, 1, "REVOKED"),
    ],
)
def test_statuses_have_the_spelling_of_celery(
    api: APIClient, status: Status, attempt: int, shown: str
) -> None:
    result = {**DONE, "stored_vectors": 1} if shown == "SUCCESS" else None
    task = make_task(status, kind="vectors.index", input=EXAMPLE, attempt=attempt, result=result)
    assert described(api.get(f"/tasks/{task.id}")) == {
        "task_id": str(task.id),
        "status": shown,
        "result": DONE if result else None,
    }


@pytest.mark.django_db
def test_unknown_tasks_and_those_of_other_owners_are_not_found(
    api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    own = make_task(kind="vectors.index", input=EXAMPLE, owner=user)
    other_kind = make_task(owner=user)
    assert api_for(user).get(f"/tasks/{own.id}/").status_code == 200
    for caller, task_id in ((stranger, own.id), (user, other_kind.id), (user, uuid7())):
        assert described(api_for(caller).get(f"/tasks/{task_id}"))["status"] == 404


@pytest.mark.django_db(transaction=True)
def test_the_documented_example_is_indexed_and_found(
    api: APIClient, run_tasks: Callable[[], None]
) -> None:
    task_id = post(api, "/tasks", EXAMPLE).json()["task_id"]
    zero = submit("vectors.index", {"vector_data": [[1.0], [0.0]]})
    run_tasks()
    answer = described(api.get(f"/tasks/{task_id}"))
    assert answer == {"task_id": task_id, "status": "SUCCESS", "result": DONE}
    assert described(api.get(f"/tasks/{zero.id}"))["status"] == "FAILURE"
    (match,) = described(api.get(SEARCH, {"vector": "1,2,3"}))["results"]
    assert (match["task_id"], match["metadata"]) == (task_id, {"source": "user"})
    assert match["score"] == pytest.approx(1)
    assert Vector.objects.count() == 1
    page = api.get(f"/ui/tasks/{task_id}/", headers={"Accept": "text/html"}).content.decode()
    assert "Vectors stored" in page
