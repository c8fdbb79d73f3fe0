import pytest

from bench.errors import UsageError
from bench.plan.slurm import is_task_of_many, part


def array(task, *, least=0, count=4, step=None):
    names = {"ID": task, "MIN": least, "COUNT": count} | ({} if step is None else {"STEP": step})
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in names.items()}


@pytest.mark.parametrize(("least", "step"), [(0, None), (1, 1), (3, 5)])
def test_the_tasks_of_an_array_have_every_part_once(least, step):
    tasks = [least + place * (step or 1) for place in range(4)]
    assert [part(array(task, least=least, step=step), "--shard") for task in tasks] == [(n, 4) for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "--shard: 'slurm' needs a job array, but SLURM_ARRAY_TASK_ID is not set; give it as 2/4"),
        (array(1, count=1), "--shard: an array of one task is no part of a sweep; give the part in numbers, as 3/8"),
        (
            array(9),
            "--shard: task 9 is not one of 4 from 0 in steps of 1; "
            "submit the array without gaps, or give the part in numbers, as 3/8",
        ),
    ],
)
def test_an_array_that_tells_no_place_is_refused(environ, message):
    with pytest.raises(UsageError) as error:
        part(environ, "--shard")
    assert str(error.value) == message


def test_one_task_alone_is_no_array():
    assert is_task_of_many(array(1))
    assert not is_task_of_many(array(1, count=1))
    assert not is_task_of_many({})
