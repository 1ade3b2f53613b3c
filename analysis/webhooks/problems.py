"""Why an event is not taken in."""

from __future__ import annotations

from tasks.rest import Problem, problem_of, problems


class NotConfigured(Exception):
    """What a webhook would check an event by is not set."""

    def __init__(self, setting: str) -> None:
        super().__init__(f"{setting} is not set: without it nothing can be let in here.")


class WrongSignature(Exception):
    """The event does not come from its platform, or was changed on the way."""


@problem_of.register
def _not_configured(error: NotConfigured) -> Problem:
    return Problem(type=problems.NOT_CONFIGURED, detail=str(error))


@problem_of.register
def _wrong_signature(error: WrongSignature) -> Problem:
    return Problem(type=problems.WRONG_SIGNATURE, detail="The signature is missing or wrong.")
