"""The upper floor of groupnorm-bench: sweeps of problems in, frames of figures out.

The way of the data, which is also the order in which the rooms may import (upper ones import lower ones)::

    cli          words of a command line             ──►  one call below, then shown
    selftest     is the instrument true: runs of kernels whose answers are known
    run          the whole way on one page; beside it, strangers to each other: compare, doctor
    passes       pass after pass over the open blocks; beside it, about: what run.json says
    executors    where visits run: a zygote and its workers on this machine
    measure      one visit of a block: check, warm, rounds, memory; both ends of the wall to the worker
    record       rows ◄──► disk ◄──► frames          devices   the only place where CPU and CUDA differ
    plan         words ──► problems ──► blocks       stats     numbers ──► numbers
    host         the machine; cgroup, its limits
    errors       what a user did wrong               events    what a run tells its listener

The driver of a run imports neither torch nor ``kernels``: a worker answers for the kernels. Nothing is
re-exported here, so that ``import bench`` stays quick.
"""
