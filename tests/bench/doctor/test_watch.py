"""Counters before and after, with values made up."""

import os
from dataclasses import fields, replace

import pytest

from bench.doctor import watch
from bench.doctor.watch import Reading, Used, between

ME = os.getpid()


def used(**seconds):
    return {{"init": 1, "make": 7, "cc1": 8, "me": ME}[name]: Used(name=name, seconds=s) for name, s in seconds.items()}


BEFORE = Reading(
    moment_s=100.0,
    own_s=3.0,
    busy_s=1000.0,
    stolen_s=5.0,
    waited_s=0.5,
    preemptions=10,
    throttlings=2,
    processes=used(init=50.0, make=1.0, me=3.0),
)
AFTER = Reading(
    moment_s=102.0,
    own_s=4.5,
    busy_s=1002.5,
    stolen_s=5.1,
    waited_s=0.7,
    preemptions=13,
    throttlings=2,
    processes=used(init=50.0, make=1.3, cc1=0.6, me=4.5),
)


def test_what_lies_between_two_readings_is_a_share_of_their_time():
    found = between(BEFORE, AFTER)
    assert found.seconds == 2.0
    assert found.others_cores == pytest.approx((2.5 - 1.5) / 2)  # busy, less what this process itself used
    assert found.stolen == pytest.approx(0.05)
    assert found.waited == pytest.approx(0.1)
    assert (found.preemptions, found.throttlings) == (3, 0)


def test_the_busiest_is_another_process_even_one_that_was_not_there_before():
    assert between(BEFORE, AFTER).busiest == "cc1 (process 8)"
    idle = replace(AFTER, processes=BEFORE.processes)
    assert between(BEFORE, idle).busiest is None
    assert between(replace(BEFORE, processes=None), replace(AFTER, processes=None)).busiest is None


def test_others_never_use_less_than_nothing():
    # The system counts in ticks of 10 ms, a process in nanoseconds.
    assert between(BEFORE, replace(AFTER, busy_s=1001.0)).others_cores == 0.0


def test_what_the_system_does_not_count_is_none():
    bare = {field.name: None for field in fields(Reading) if field.name not in {"moment_s", "own_s"}}
    found = between(replace(BEFORE, **bare), AFTER)
    assert (found.others_cores, found.stolen, found.waited) == (None, None, None)
    assert (found.preemptions, found.throttlings) == (None, None)


def test_counters_only_grow():
    first, second = watch.read(), watch.read()
    found = between(first, second)
    assert found.seconds > 0
    assert all(value is None or value >= 0 for value in (found.stolen, found.waited, found.preemptions))
    assert os.getpid() in second.processes
