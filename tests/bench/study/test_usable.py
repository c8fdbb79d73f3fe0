import pytest

from bench.errors import UsageError
from bench.study.crew import Prepared, Worker, WorkerDied
from bench.study.usable import usable

PLUGIN = """
from kernels import register

@register("forward-only", devices=("cpu",))
def group_norm(x, num_groups, weight, bias, eps):
    return x

@register("dies", devices=("cpu",), differentiable=True)
def dies(x, num_groups, weight, bias, eps):
    import os
    os._exit(7)
"""


def prepared(plugin, *names):
    return Prepared(device="cpu", threads=1, data=None, folds=2, seed=0, implementations=names, plugins=[str(plugin)])


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "plugin.py").write_text(PLUGIN)
    return tmp_path / "plugin.py"


def test_a_row_that_cannot_be_trained_with_is_left_out_where_it_may_be_and_refused_by_name_where_not(plugin):
    warned = []
    with pytest.raises(UsageError) as refused:
        usable(prepared(plugin, "native", "forward-only", "natve"), ("forward-only",), warned.append)
    assert warned == ["forward-only is left out: it is not differentiable"]
    assert str(refused.value) == "--implementation: no implementation is called 'natve'; did you mean 'native'?"


def test_a_row_that_takes_the_process_down_is_refused_by_name(plugin):
    with pytest.raises(UsageError) as refused:
        usable(prepared(plugin, "dies"), (), print)
    assert str(refused.value) == (
        "--implementation: the process that tried dies exited with status 7; leave out what takes it down"
    )


def test_a_worker_that_is_killed_is_told_from_one_that_answers(tmp_path):
    with Worker(prepared(tmp_path / "none.py", "native"), tmp_path / "log") as worker:
        worker._process.kill()
        with pytest.raises(WorkerDied, match=r"^its process died of SIGKILL$"):
            worker.ask({"do": "answer_for", "implementations": []})
