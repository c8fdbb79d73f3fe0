"""What gates' tests share: a plugin's text, and git with an identity of its own."""

import subprocess

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
