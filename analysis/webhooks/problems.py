"""Problems of the platforms' webhooks: not configured, wrong signature."""

from __future__ import annotations

from tasks.rest import Problem, problem_of, problems
from tasks.strict_json import MalformedJSON


class NotConfigured(Exception):
    """The setting with the webhook's secret is empty."""

    def __init__(self, setting: str) -> None:
        super().__init__(f"{setting} is not set, so this webhook accepts nothing.")


class WrongSignature(Exception):
    """The event is not from its platform, or was changed in transit."""


@problem_of.register
def _not_configured(error: NotConfigured) -> Problem:
    return Problem(type=problems.NOT_CONFIGURED, detail=str(error))


@problem_of.register
def _wrong_signature(error: WrongSignature) -> Problem:
    return Problem(type=problems.WRONG_SIGNATURE, detail="The signature is missing or wrong.")


@problem_of.register
def _malformed(error: MalformedJSON) -> Problem:
    return Problem(type=problems.MALFORMED_BODY, detail=str(error))
