"""Units: each has a number of its own for the stock loop."""

from __future__ import annotations

import uuid

from tasks import kinds
from tasks.lifecycle.ending import Claim
from tasks.worker.units import Unit


def test_a_task_claimed_again_under_its_old_job_is_another_unit():
    claim = Claim(
        id=uuid.uuid4(), job_id=7, kind="test.script", owner_id=None, input={}, attempt=1,
        max_attempts=4, claim_number=1,
    )  # fmt: skip
    kind = kinds.get(claim.kind)
    assert Unit(kind, [claim]).job_id != Unit(kind, [claim]).job_id
