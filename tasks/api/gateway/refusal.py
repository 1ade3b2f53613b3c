"""Refusal: a request that does not get as far as Django."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.api.problems import ProblemType


class Refused(Exception):
    """A request that is refused, with the type of its problem document."""

    def __init__(
        self, type_: ProblemType, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.type = type_
        self.detail = detail
        self.headers = headers or {}
