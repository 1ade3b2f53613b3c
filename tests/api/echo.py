"""Routes that return what they receive, for tests with and without a real server."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


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


urlpatterns = [
    path("echo", Echo.as_view()),
    path("length", Length.as_view()),
    path("defaults", Defaults.as_view()),
]
