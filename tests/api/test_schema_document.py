"""The OpenAPI document over HTTP: made once, in two formats, with an entity tag."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import orjson
import pytest
import yaml
from rest_framework.test import APIClient

SCHEMA = "/api/schema/"
JSON, YAML = "application/vnd.oai.openapi+json", "application/vnd.oai.openapi"
# drf-spectacular loads its extensions once in a process, so first requests need a process.
FIRST_REQUESTS = """
import django
django.setup()
from django.test import Client
from tests.threads import in_threads
answers = in_threads(100, lambda: Client().get("/api/schema/", HTTP_HOST="localhost"))
print({getattr(answer, "status_code", answer) for answer in answers})
print(len({answer.content for answer in answers}))
"""


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", "*/*", YAML),
        ("", "application/json", "application/json"),
        ("", JSON, JSON),
        ("", "application/yaml", "application/yaml"),
        ("?format=json", "*/*", JSON),
        ("?format=json", YAML, JSON),
        ("?format=yaml", "application/json", YAML),
    ],
)
def test_the_document_is_served_in_the_format_that_is_asked_for(
    api: APIClient, query: str, accept: str, media_type: str
) -> None:
    response = api.get(f"{SCHEMA}{query}", headers={"Accept": accept})
    assert response.status_code == 200
    assert response["Content-Type"] == f"{media_type}; charset=utf-8"
    is_json = media_type.endswith("json")
    document: Any = orjson.loads(response.content) if is_json else yaml.safe_load(response.content)
    assert document["openapi"] == "3.1.1"
    assert document["servers"] == [{"url": "/"}]


@pytest.mark.parametrize(
    "query", ["format=xml", "format=", "format=json&format=json", "formta=json"]
)
def test_another_format_is_refused_by_name(api: APIClient, query: str) -> None:
    response = api.get(f"{SCHEMA}?{query}", headers={"Accept": "application/json"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("query", ["", "?format=json"])
def test_an_unchanged_document_is_not_sent_again(api: APIClient, query: str) -> None:
    first = api.get(f"{SCHEMA}{query}")
    etag = first["ETag"]
    assert etag.startswith('"')
    assert first["Cache-Control"] == "public, no-cache"
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        again = api.get(f"{SCHEMA}{query}", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        assert again["Cache-Control"] == "public, no-cache"
    assert api.get(f"{SCHEMA}{query}", headers={"If-None-Match": '"other"'}).status_code == 200


def test_each_format_has_its_own_tag(api: APIClient) -> None:
    formats = [api.get(f"{SCHEMA}?format={name}") for name in ("json", "yaml")]
    assert formats[0]["ETag"] != formats[1]["ETag"]
    assert all("Accept" in response["Vary"] for response in formats)


def test_the_document_is_made_once(api: APIClient) -> None:
    api.get(SCHEMA)
    start = time.process_time()
    for _ in range(20):
        api.get(SCHEMA)
    # It took 60 ms to make each.
    assert (time.process_time() - start) / 20 < 0.02


def test_a_hundred_first_requests_at_once_are_answered() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FIRST_REQUESTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["{200}", "1"]
