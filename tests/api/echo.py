"""Routes that return what they receive, for tests with and without a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.waiting import wait_until

LARGE_BYTES = 8 * 1024 * 1024


class Echo(APIView):
    def post(self, request: Request) -> Response:
        return Response({"received": request.data})


class Length(APIView):
    def post(self, request: Request) -> Response:
        document: Any = request.data
        return Response(len(document["text"]))


class Options(serializers.Serializer[Any]):
    eager = serializers.BooleanField(default=True)


class Defaults(APIView):
    def post(self, request: Request) -> Response:
        options = Options(data=request.data)
        options.is_valid(raise_exception=True)
        return Response(options.validated_data)


def meta(request: HttpRequest) -> JsonResponse:
    """Return what Django sees of the request's headers."""
    return JsonResponse(
        {name: value for name, value in request.META.items() if isinstance(value, str)}
        | {"cookies": request.COOKIES}
    )


def large(request: HttpRequest) -> HttpResponse:
    """Return more than the kernel's buffers of a connection hold."""
    return HttpResponse(b"x" * LARGE_BYTES)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Return a stream of unknown length."""
    return StreamingHttpResponse(f"{number}," for number in range(1_000))


def hold(request: HttpRequest) -> HttpResponse:
    """Occupy a thread until the file that the query names exists."""
    wait_until(Path(request.GET["until"]).exists, within=30, what="the file exists")
    return HttpResponse(b"done")


urlpatterns = [
    path("echo", Echo.as_view()),
    path("length", Length.as_view()),
    path("defaults", Defaults.as_view()),
    path("meta", meta),
    path("large", large),
    path("stream", stream),
    path("hold", hold),
]
