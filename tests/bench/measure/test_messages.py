import math

import pytest

from bench.measure import messages as m

ROW = m.RowFacts(
    name="mine",
    place="mine.py:3",
    origin="plugin",
    devices=["cpu"],
    dtypes=["float32"],
    layouts=["contiguous"],
    activations=["none"],
    differentiable=False,
    slow_start=False,
    unavailable=None,
)


@pytest.mark.parametrize(
    "message",
    [
        m.Load(device="cpu", threads=2, names=None, plugins=["a.py"], order_seed=3),
        m.Loaded(rows=[ROW], device_problem=None, threads=2, resolution_s=1e-8, empty_call_s=1 / 3),
        m.Open(problem={"N": 1}, names=["a"], reference="a", seed=1, placement_seed=2, cold=False),
        m.Opened(refused={"a": m.Refused(status="unsupported", reason="odd")}, untimed={}),
        m.Time(round=0, batches=[("a", 3), ("@copy", 1)], verify=True),
        m.Timed(batches=[m.TimedBatch(name="a", calls=3, seconds=0.1)], spin_s=4e-5),
        m.Closed(inconsistent={"a": "changed its inputs"}),
        m.Profiled(calls=2, kernels=[m.KernelTime(kind="kernel", name="k", calls=2, self_s=0.5)], touched_bytes=8),
        m.Broken(reason="oh"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_is_sent_arrives(message):
    assert m.decode(m.encode(message)) == message


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_measurement_is_not_sent(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        m.encode(m.Warmed(call_s=value))


def test_companions_cannot_be_names_of_rows():
    assert all(not name[0].isalpha() for name in m.COMPANIONS)
