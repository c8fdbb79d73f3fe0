"""What gates' tests share: a visit, a plugin's text, and git with an identity of its own."""

import subprocess
from dataclasses import replace

from bench.measure.visited import Visit
from bench.plan.problem import Problem

PROBLEM = Problem(N=1, C=4, H=2, W=2, G=2)
OTHER = replace(PROBLEM, N=2)
LIKE = Visit(
    problem=PROBLEM,
    names=(),
    reference="native",
    pass_=0,
    launch=0,
    seed=0,
    cold=False,
    share_s=0.3,
    clock_s=1e-7,
    timeout_s=1.0,
    weighs=False,
    companions=(),
    is_paired=True,
)
"""A visit of a pass."""

PLUGIN = """
from kernels import register
import torch
import torch.nn.functional as F

@register("mine", devices=("cpu",), activations=("none",))
def group_norm(x, num_groups, weight, bias, eps):
    {before}
    return F.group_norm(x, num_groups, weight, bias, eps){after}
"""


def git(folder, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
