from tests.faults.harness.row import row, Measured
from tests.faults.rows import delivery_clocks as d
from tasks.models import Task, Attempt
@row("R99", title="x", promise="x", target="x", limit=200)
def x(system, dice):
    d.LONG = 5
    r = d._wrong_workers(system)
    print(r, Attempt.objects.values_list("error", flat=True).first()["traceback"])
    return Measured("x", met=True)
